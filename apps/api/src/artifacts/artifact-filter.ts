import { AppError } from '#kernel';
import type { ArtifactFilter, ProjectFilter } from '#runner';
import type { QueryReader } from '../http/query-reader.js';

/** As a definition has it; a series may be named by `<logicalKey>/<path>`. */
export const KIND = /^[a-z][a-z0-9_.-]{0,63}$/;
export const LOGICAL_KEY_LENGTH = 1_300;
/** Stands for "of no project". */
export const NO_PROJECT = 'none';
/** What is known of each entry is in memory while an archive is written. */
const MOST_ENTRIES = 100_000;

export function readProject(read: QueryReader): ProjectFilter {
  const given = read.id('projectId', [NO_PROJECT]);
  return given === null ? null : { id: given === NO_PROJECT ? null : given };
}

export function readFilter(read: QueryReader): ArtifactFilter {
  return {
    project: readProject(read),
    kind: read.matching('kind', KIND),
    logicalKey: read.text('logicalKey', LOGICAL_KEY_LENGTH),
    latest: read.flag('latest'),
  };
}

/**
 * Everything that belongs into an archive.
 * @param read gives at most so many of them
 * @throws AppError VALIDATION_FAILED when they are too many for one archive
 */
export async function bounded<File>(read: (atMost: number) => Promise<File[]>): Promise<File[]> {
  const files = await read(MOST_ENTRIES + 1);
  if (files.length <= MOST_ENTRIES) return files;
  throw new AppError(
    'VALIDATION_FAILED',
    `The archive would have more than ${MOST_ENTRIES} entries. Ask for less with projectId or kind.`,
  );
}
