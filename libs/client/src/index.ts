export type * from './types.js';
export { RunledgerClient } from './client.js';
export type {
  ApprovalFilter,
  ArtifactFilter,
  ArtifactScope,
  ArtifactSeries,
  JobFilter,
  RunledgerClientOptions,
  TranscriptOf,
} from './client.js';
export type { FollowItem, FollowOptions } from './follow-job.js';
export { ApiError, ConnectionError } from './errors.js';
