import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Artifact, RunledgerClient } from '#client';

/**
 * Writes an artifact into a folder, under its path.
 * @returns the file's absolute path
 * @throws Error when the path would leave the folder or the digest differs
 */
export async function downloadArtifact(client: RunledgerClient, artifact: Artifact, folder: string): Promise<string> {
  const file = resolve(folder, artifact.path);
  const inside = relative(folder, file);
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || resolve(inside) === inside) {
    throw new Error(`the artifact's path ${JSON.stringify(artifact.path)} leaves ${folder}; it was not written`);
  }
  await downloadArtifactTo(client, artifact, file);
  return file;
}

/** Writes an artifact into a file. @throws Error when its digest is not the one of the ledger; the file is left as it was then */
export async function downloadArtifactTo(client: RunledgerClient, artifact: Artifact, file: string): Promise<void> {
  await writeComplete(file, await client.artifactContent(artifact.jobId, artifact.id), ({ sha256 }) => {
    if (sha256 === artifact.sha256) return;
    throw new Error(`${artifact.path}: its SHA-256 is ${sha256}, the ledger says ${artifact.sha256}; it was not kept`);
  });
}

/**
 * Writes the bytes beside their place and moves them there when they are complete and `check` has nothing against them.
 * @returns what was written
 */
export async function writeComplete(
  file: string,
  content: ReadableStream<Uint8Array>,
  check: (written: { sha256: string; sizeBytes: number }) => void = () => undefined,
): Promise<{ sha256: string; sizeBytes: number }> {
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.part`;
  const digest = createHash('sha256');
  let sizeBytes = 0;
  const hashing = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      digest.update(chunk);
      sizeBytes += chunk.length;
      done(null, chunk);
    },
  });
  try {
    await pipeline(Readable.fromWeb(content), hashing, createWriteStream(draft));
    const written = { sha256: digest.digest('hex'), sizeBytes };
    check(written);
    await rename(draft, file);
    return written;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
