export type * from './blob-store.js';
export { LocalBlobStore } from './local-blob-store.js';
export { collectFiles } from './collect-files.js';
export type { CollectedFile } from './collect-files.js';
export { openArtifact } from './open-artifact.js';
export type { OpenArtifact } from './open-artifact.js';
export { mediaTypeOf } from './media-type.js';
