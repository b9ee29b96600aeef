import { execFile } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The two ends of the command's standard output and error. */
export interface OutputPipes {
  /** For the command. */
  writeFds: [stdout: number, stderr: number];
  /** For the worker. */
  readers: { stdout: Socket; stderr: Socket };
  /** Closes the worker's copies of the write ends; without it the readers never see the end. */
  closeWriteEnds(): void;
}

/**
 * Makes two real pipes. Node's own `stdio: 'pipe'` is a pair of Unix sockets, which cannot be opened by name, so that a script's
 * `echo ... > /dev/stderr` would fail with ENXIO.
 * @param directory a private folder; the names in it are of no use once this returns
 */
export async function openOutputPipes(directory: string): Promise<OutputPipes> {
  const paths = [join(directory, 'stdout'), join(directory, 'stderr')] as const;
  await run('mkfifo', ['-m', '600', ...paths]);
  // The reader first, and without blocking: a pipe cannot be opened for writing before somebody reads.
  const readFds = paths.map((path) => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  const writeFds = paths.map((path) => openSync(path, constants.O_WRONLY));
  const [stdout, stderr] = readFds.map((fd) => new Socket({ fd, readable: true, writable: false }));
  const [out, err] = writeFds;
  if (stdout === undefined || stderr === undefined || out === undefined || err === undefined)
    throw new Error('unreachable');
  return {
    writeFds: [out, err],
    readers: { stdout, stderr },
    closeWriteEnds: () => writeFds.forEach((fd) => closeSync(fd)),
  };
}
