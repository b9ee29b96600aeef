/** Names under which the container keeps what has no class of its own. */
export const CONFIG = Symbol('Config');
export const BLOB_STORE = Symbol('BlobStore');
