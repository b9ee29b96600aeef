import { hostname } from 'node:os';
import { withOwner } from '#database';
import { ALL_SCOPES, createApiKey, ensureDefaultWorkspace } from '#identity';
import { readCredentials } from '../credentials.js';

/** A workspace and a key to it. */
export interface Access {
  workspaceId: string;
  workspaceName: string;
  apiKey: string;
  /** True when the key was made just now, and is to be shown. */
  isNew: boolean;
}

/**
 * The default workspace and the key that this data folder has for it. A folder without one, because its credentials were removed or
 * the database was set up from elsewhere, gets a key of its own: secrets are stored as hashes only and cannot be looked up again.
 */
export async function ensureAccess(ownerUrl: string, dataDir: string): Promise<Access> {
  const workspace = await ensureDefaultWorkspace(ownerUrl);
  const found = { workspaceId: workspace.id, workspaceName: workspace.name };
  if (workspace.apiKey !== null) return { ...found, apiKey: workspace.apiKey, isNew: true };
  const known = await readCredentials(dataDir);
  if (known !== null && known.workspaceId === workspace.id && known.apiKey !== null)
    return { ...found, apiKey: known.apiKey, isNew: false };
  const key = await withOwner(ownerUrl, (client) =>
    createApiKey(client, {
      workspaceId: workspace.id,
      name: `local key on ${hostname()}`.slice(0, 100),
      scopes: ALL_SCOPES,
    }),
  );
  return { ...found, apiKey: key.secret, isNew: true };
}
