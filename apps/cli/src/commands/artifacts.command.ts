import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import type { Artifact, RunledgerClient } from '#client';
import { addServerOptions, connect, resolveJobId, type ServerOptions } from '../connect.js';
import { formatBytes } from '../terminal/format.js';
import { artifactTable } from '../terminal/job-text.js';
import type { Terminal } from '../terminal/terminal.js';

export function artifactsCommand(program: Command, terminal: Terminal): void {
  addServerOptions(program.command('artifacts'))
    .summary('list or download what a job kept')
    .description('List the artifacts of a job, or download them; every download is checked against its SHA-256.')
    .argument('<job>', 'its id, the start or end of it, or "latest"')
    .option('-d, --download <dir>', 'write them into this folder, under their paths')
    .addHelpText('after', '\nExamples:\n  $ runledger artifacts latest\n  $ runledger artifacts latest --download out/')
    .action(async (given: string, options: ServerOptions & { download?: string }) => {
      const client = await connect(options);
      const jobId = await resolveJobId(client, given);
      const found: Artifact[] = [];
      for await (const artifact of client.artifacts(jobId)) found.push(artifact);
      const { download } = options;
      if (download === undefined && options.json !== true) return list(found, terminal);
      for (const artifact of found) {
        const file = download === undefined ? undefined : await downloadArtifact(client, artifact, resolve(download));
        if (options.json === true) terminal.json(file === undefined ? artifact : { ...artifact, file });
        else terminal.line(`${file} ${terminal.colors.dim(formatBytes(artifact.sizeBytes))}`);
      }
    });
}

function list(artifacts: Artifact[], terminal: Terminal): void {
  if (artifacts.length === 0) terminal.note(terminal.noteColors.dim('the job has no artifacts'));
  else artifactTable(artifacts, terminal.columns, terminal.colors).forEach((line) => terminal.line(line));
}

/**
 * Writes the bytes beside their place and moves them there when they are complete and what the ledger says.
 * @returns the file's absolute path
 * @throws Error when the path would leave the folder or the digest differs
 */
export async function downloadArtifact(client: RunledgerClient, artifact: Artifact, folder: string): Promise<string> {
  const file = resolve(folder, artifact.path);
  const inside = relative(folder, file);
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || resolve(inside) === inside) {
    throw new Error(`the artifact's path ${JSON.stringify(artifact.path)} leaves ${folder}; it was not written`);
  }
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.part`;
  const digest = createHash('sha256');
  const hashing = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      digest.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(
      Readable.fromWeb(await client.artifactContent(artifact.jobId, artifact.id)),
      hashing,
      createWriteStream(draft),
    );
    const sha256 = digest.digest('hex');
    if (sha256 !== artifact.sha256)
      throw new Error(
        `${artifact.path}: its SHA-256 is ${sha256}, the ledger says ${artifact.sha256}; it was not kept`,
      );
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return file;
}
