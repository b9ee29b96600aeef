export { ALL_SCOPES, MAX_ROLES, SCOPES, isRole, isScope } from './scopes.js';
export type { Scope } from './scopes.js';
export { ApiKeys, createApiKey } from './api-keys.js';
export type { AuthenticatedKey, NewApiKey } from './api-keys.js';
export { ensureDefaultWorkspace } from './default-workspace.js';
export type { DefaultWorkspace } from './default-workspace.js';
export { createWorkspace } from './workspaces.js';
export type { Workspace } from './workspaces.js';
