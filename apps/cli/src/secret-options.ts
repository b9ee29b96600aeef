import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { variable } from '#config';
import { messageOf } from '#kernel';
import { UsageError } from './failure.js';

export interface SecretOptions {
  secret?: string[];
  secretFile?: string[];
}

export function addSecretOptions(command: Command): Command {
  const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value];
  return command
    .option(
      '--secret <name[=value]>',
      'a secret of the job; without a value, that of the variable of this name',
      collect,
    )
    .option('--secret-file <name=path>', 'a secret from a file, without line breaks at its end', collect);
}

/**
 * The secrets that the options name. A value on the command line is seen by everybody on this machine: a variable or a file is better.
 * @throws UsageError naming what is missing, and never a value
 */
export async function readSecrets(options: SecretOptions): Promise<Record<string, string>> {
  const secrets = new Map<string, string>();
  const put = (name: string, value: string): void => {
    if (secrets.has(name)) throw new UsageError(`the secret ${name} is given twice`);
    secrets.set(name, value);
  };
  for (const given of options.secret ?? []) {
    const [name, value] = atFirstEqualsSign(given);
    put(name, value ?? fromEnvironment(name));
  }
  for (const given of options.secretFile ?? []) {
    const [name, path] = atFirstEqualsSign(given);
    if (path === undefined || path === '') throw new UsageError(`--secret-file needs NAME=PATH, not "${given}"`);
    put(name, await fromFile(name, path));
  }
  return Object.fromEntries(secrets);
}

/** The definition with these secrets; those that it has itself stay unless they are given again. */
export function withSecrets(definition: unknown, secrets: Record<string, string>): unknown {
  if (Object.keys(secrets).length === 0 || typeof definition !== 'object' || definition === null) return definition;
  const own = 'secrets' in definition ? definition.secrets : {};
  return { ...definition, secrets: typeof own === 'object' ? { ...own, ...secrets } : own };
}

function atFirstEqualsSign(given: string): [name: string, value: string | undefined] {
  const at = given.indexOf('=');
  return at < 0 ? [given, undefined] : [given.slice(0, at), given.slice(at + 1)];
}

function fromEnvironment(name: string): string {
  const value = variable(name);
  if (value === undefined) throw new UsageError(`--secret ${name}: there is no variable of this name; give NAME=value`);
  return value;
}

async function fromFile(name: string, path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/[\r\n]+$/, '');
  } catch (error) {
    throw new UsageError(`--secret-file ${name}: cannot read ${path}: ${messageOf(error)}`);
  }
}
