export type * from './blob-store.js';
