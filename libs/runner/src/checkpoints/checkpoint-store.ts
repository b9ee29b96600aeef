import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError, newId } from '#kernel';
import type { BlobStore } from '#artifacts';
import type { Database } from '#database';
import type { Phase } from '../definition/definition.js';
import type { KeptTree } from '../retry/old-job.js';
import type { JobState } from '../state/job-state.js';
import { packTree } from './pack-tree.js';
import { treeHashOf } from './tree-hash.js';
import { unpackTree } from './unpack-tree.js';
import { walkTree, type Tree } from './walk-tree.js';

export interface CheckpointStoreOptions {
  /** Whose disk the workdirs are on, and the blobs where they are not shared. */
  host: string;
  /** Whether all hosts see the same blobs. */
  shared: boolean;
}

/** An archive of a workdir in the blob store. */
export interface StoredTree {
  ref: string;
  treeHash: string;
  sha256: string;
  sizeBytes: number;
}

/** Workdirs as archives in the blob store, with a row for each so that none is forgotten. */
export class CheckpointStore {
  constructor(
    private readonly database: Database,
    private readonly blobs: BlobStore,
    private readonly options: CheckpointStoreOptions,
  ) {}

  get host(): string {
    return this.options.host;
  }

  get shared(): boolean {
    return this.options.shared;
  }

  /** @throws AppError CONFLICT when the workdir changes meanwhile, STORAGE_UNAVAILABLE, DATABASE_UNAVAILABLE */
  async keep({ id, workspaceId }: JobState, phase: Phase, root: string, tree: Tree): Promise<StoredTree> {
    const checkpointId = newId();
    const ref = `${workspaceId}/checkpoints/${checkpointId}`;
    await this.database.query({
      name: 'new-checkpoint',
      text: `INSERT INTO checkpoints (id, workspace_id, job_id, phase, blob_key, host) VALUES ($1, $2, $3, $4, $5, $6)`,
      values: [checkpointId, workspaceId, id, phase, ref, this.options.host],
    });
    try {
      const packed = packTree(root, tree);
      const blob = await this.blobs.put(ref, packed.archive);
      return { ref, treeHash: await packed.treeHash, sha256: blob.sha256, sizeBytes: blob.sizeBytes };
    } catch (error) {
      await this.remove([ref]).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Makes `root` anew with what the tree held.
   * @throws AppError NOT_FOUND when it is not kept any more or is on another host's disk, CONFLICT when it is not what it was, STORAGE_UNAVAILABLE
   */
  async restore(tree: KeptTree, root: string): Promise<void> {
    await rm(root, { recursive: true, force: true, maxRetries: 3 });
    await mkdir(root, { recursive: true, mode: 0o700 });
    if (tree.ref === null) return;
    try {
      await this.unpack(await this.blobs.get(tree.ref), tree, root);
    } catch (error) {
      await rm(root, { recursive: true, force: true, maxRetries: 3 });
      throw error;
    }
  }

  /** The host on whose disk the archive is, when that is another than this one; null for a shared or unknown one. */
  async otherHostOf(tree: KeptTree): Promise<string | null> {
    if (this.options.shared || tree.ref === null) return null;
    const text = `SELECT host FROM checkpoints WHERE blob_key = $1`;
    const [row] = await this.database.query<{ host: string }>({ name: 'host-of-checkpoint', text, values: [tree.ref] });
    return row === undefined || row.host === this.options.host ? null : row.host;
  }

  /** Removes everything that was kept of a job that needs it no more. */
  async forget(jobId: string): Promise<void> {
    const statement = {
      name: 'checkpoints-of-job',
      text: OF_JOB,
      values: [jobId, this.options.host, this.options.shared],
    };
    const rows = await this.database.query<{ blob_key: string }>(statement);
    await this.remove(rows.map((row) => row.blob_key));
  }

  /** Blobs first: a row without its blob is found again, a blob without its row is not. */
  async remove(refs: string[]): Promise<void> {
    for (const ref of refs) await this.blobs.delete(ref);
    if (refs.length > 0) await this.database.query('DELETE FROM checkpoints WHERE blob_key = ANY ($1::text[])', [refs]);
  }

  private async unpack(archive: Readable, tree: KeptTree, root: string): Promise<void> {
    const hash = createHash('sha256');
    const through = new PassThrough();
    through.on('data', (chunk: Buffer) => hash.update(chunk));
    await Promise.all([pipeline(archive, through), unpackTree(through, root)]);
    if (hash.digest('hex') !== tree.sha256) throw damaged(tree, 'its bytes are not those that were kept');
    if ((await treeHashOf(root, (await walkTree(root)).entries)) !== tree.treeHash)
      throw damaged(tree, 'what came out of it is not what went in');
  }
}

function damaged({ ref }: KeptTree, why: string): AppError {
  return new AppError('CONFLICT', `the checkpoint ${ref ?? ''} cannot be used: ${why}`);
}

const OF_JOB = `SELECT blob_key FROM checkpoints WHERE job_id = $1 AND (host = $2 OR $3)`;
