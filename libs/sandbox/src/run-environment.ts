import { mkdtemp, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxCommand, SandboxResult } from './driver.js';

export interface DockerOptions {
  /** What containers are made of; it needs /bin/sh, and bash where scripts are to have it. */
  image: string;
  /** The engine's Unix socket. */
  socket: string;
}

export interface SandboxDriverOptions {
  docker?: DockerOptions;
  /** False: does without control groups, as on a host that gives the worker none. */
  cgroups?: boolean;
  /** Where `bwrap` is, if not in one of the usual places. */
  bubblewrapPath?: string;
  /** Where each run gets a private folder for as long as it lasts; the system's folder for temporary files when not given. */
  scratchFolder?: string;
}

export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The whole environment of a command: what every program expects, and the command's own on top. Nothing of the worker's.
 * @param nodeFolder where this Node is, so that `node` in a script is the one that runs the worker
 * @param scratch a folder that is the command's alone
 */
export function commandEnvironment(
  command: SandboxCommand,
  nodeFolder: string,
  scratch: string,
): Record<string, string> {
  const path = SYSTEM_PATH.split(':').includes(nodeFolder) ? SYSTEM_PATH : `${nodeFolder}:${SYSTEM_PATH}`;
  return { PATH: path, HOME: scratch, TMPDIR: scratch, LANG: 'C.UTF-8', ...command.env };
}

/** @returns the failure when the workdir is not a folder on this host */
export async function missingWorkdir(command: SandboxCommand): Promise<SandboxResult['failure']> {
  const isFolder = await stat(command.workdir).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return null;
  return { code: 'WORKDIR_MISSING', message: `there is no folder ${command.workdir} on this host` };
}

/** A folder that nobody else may enter; `superviseCommand` removes it. */
export function makeScratch(options: SandboxDriverOptions): Promise<string> {
  return mkdtemp(join(options.scratchFolder ?? tmpdir(), 'runledger-run-'));
}
