import type { Readable } from 'node:stream';

/** What the store knows of one blob. */
export interface BlobInfo {
  key: string;
  sizeBytes: number;
  /** Lower-case hex, taken while the bytes went in. */
  sha256: string;
}

/**
 * Bytes by key; written once, never changed. Keys are slash-separated and relative (`<workspaceId>/artifacts/<id>`), as S3 wants them.
 * An S3 driver fits behind it: every method is one request there.
 */
export interface BlobStore {
  /** Stores the stream under the key; nothing is visible under it before all bytes are there. */
  put(key: string, content: Readable): Promise<BlobInfo>;
  /**
   * Reads a blob, or the bytes from `start` to `end` (both inclusive, as in an HTTP Range).
   * @throws AppError NOT_FOUND when there is no such blob
   */
  get(key: string, range?: { start: number; end: number }): Promise<Readable>;
  /** Size in bytes, or null when there is no such blob. */
  size(key: string): Promise<number | null>;
  /** Removes a blob; a missing one is no error. */
  delete(key: string): Promise<void>;
}
