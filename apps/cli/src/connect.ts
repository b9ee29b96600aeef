import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { RunledgerClient } from '#client';
import { isId } from '#kernel';
import { credentialsFile, readCredentials } from './credentials.js';
import { UsageError } from './failure.js';

/** The options of every command that talks to a server. */
export interface ServerOptions {
  url?: string;
  apiKey?: string;
  workspace?: string;
  dataDir: string;
  json?: boolean;
}

export const DEFAULT_URL = 'http://127.0.0.1:3000';

export function dataDirOption(): Option {
  return new Option('--data-dir <dir>', 'where a local system keeps its files').env('DATA_DIR').default('.runledger');
}

export function addServerOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--url <url>', `the server (default: the one started here, else ${DEFAULT_URL})`).env('RUNLEDGER_URL'),
    )
    .addOption(new Option('--api-key <key>', 'the API key (default: the one that start made)').env('RUNLEDGER_API_KEY'))
    .addOption(new Option('--workspace <id>', 'the workspace (default: the one of the key)').env('RUNLEDGER_WORKSPACE'))
    .addOption(dataDirOption())
    .option('--json', 'print JSON for scripts, and nothing else');
}

/**
 * A client for the server that the options name, or else the one that was started in this folder.
 * @throws UsageError when there is no key
 */
export async function connect(options: ServerOptions): Promise<RunledgerClient> {
  const known = await readCredentials(resolve(options.dataDir));
  const baseUrl = options.url ?? known?.url ?? DEFAULT_URL;
  if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol))
    throw new UsageError(`--url must be an http or https URL, not "${baseUrl}"`);
  // A key is only ever sent to the server that it was made for.
  const sameServer = known !== null && new URL(known.url).origin === new URL(baseUrl).origin;
  const apiKey = options.apiKey ?? (sameServer ? known.apiKey : null);
  if (!apiKey) {
    throw new UsageError('no API key', [
      'Give one with --api-key or RUNLEDGER_API_KEY.',
      `"runledger start" keeps the key of a local system in ${credentialsFile(options.dataDir)}; run the command in the same folder, or name it with --data-dir.`,
    ]);
  }
  const workspaceId = options.workspace ?? (options.apiKey === undefined ? known?.workspaceId : undefined);
  return new RunledgerClient({ baseUrl, apiKey, ...(workspaceId === undefined ? {} : { workspaceId }) });
}

const JOBS_LOOKED_AT = 1_000;

/**
 * The id that a person means: a full one, the first or last characters of one among the newest jobs, or `latest`.
 * @throws UsageError when none or several fit
 */
export async function resolveJobId(client: RunledgerClient, given: string): Promise<string> {
  if (isId(given)) return given;
  const wanted = given.toLowerCase();
  if (wanted !== 'latest' && !/^[0-9a-f-]{4,}$/.test(wanted))
    throw new UsageError(`"${given}" is not a job id (nor "latest")`);
  const found: string[] = [];
  let looked = 0;
  for await (const job of client.listJobs({ pageSize: wanted === 'latest' ? 1 : 200 })) {
    if (wanted === 'latest') return job.id;
    if (job.id.startsWith(wanted) || job.id.endsWith(wanted)) found.push(job.id);
    looked += 1;
    if (looked === JOBS_LOOKED_AT) break;
  }
  const [only] = found;
  if (only === undefined)
    throw new UsageError(
      wanted === 'latest'
        ? 'there is no job yet'
        : `no job among the newest ${looked} has an id with "${given}" at its start or end`,
    );
  if (found.length > 1)
    throw new UsageError(`"${given}" fits ${found.length} jobs; give more of the id:`, found.slice(0, 10));
  return only;
}
