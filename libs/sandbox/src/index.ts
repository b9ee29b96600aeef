export type * from './driver.js';
export { createSandboxDriver } from './create-sandbox-driver.js';
export type { SandboxDriverName } from './create-sandbox-driver.js';
export { endAbandonedRuns } from './run-tag.js';
export type { SandboxDriverOptions } from './run-environment.js';
export { TranscriptRecorder } from './transcript.js';
export type { Transcript, TranscriptOptions, TranscriptPiece } from './transcript.js';
