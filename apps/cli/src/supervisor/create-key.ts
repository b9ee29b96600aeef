import { loadConfig } from '#config';
import { withOwner } from '#database';
import { ALL_SCOPES, createApiKey, ensureDefaultWorkspace, isScope } from '#identity';
import { UsageError } from '../failure.js';
import { namingOwner } from './local-database.js';

export interface CreatedKey {
  workspaceId: string;
  keyId: string;
  apiKey: string;
}

/**
 * Makes a key to the default workspace, and the workspace too where it is missing, as the owner of the configured database.
 * @param scopes what the key may do; undefined: everything
 * @throws UsageError for a name or scope that is none, and where no database is named
 */
export async function createKey(name: string, scopes: string[] | undefined): Promise<CreatedKey> {
  if (name.length < 1 || name.length > 100) throw new UsageError('--name must have 1 to 100 characters');
  const unknown = (scopes ?? []).filter((scope) => !isScope(scope));
  if (unknown.length > 0) {
    throw new UsageError(`unknown scope: ${unknown.join(', ')}`, [`the scopes are: ${ALL_SCOPES.join(', ')}`]);
  }
  const config = loadConfig();
  const { ownerUrl } = config.database;
  if (ownerUrl === undefined) {
    throw new UsageError('no database is named', [
      'Set DATABASE_OWNER_URL or DATABASE_URL. The embedded system keeps its key in credentials.json.',
    ]);
  }
  const workspace = await namingOwner(config, () => ensureDefaultWorkspace(ownerUrl));
  const chosen = scopes === undefined ? ALL_SCOPES : scopes.filter(isScope);
  const key = await withOwner(ownerUrl, (client) =>
    createApiKey(client, { workspaceId: workspace.id, name, scopes: chosen }),
  );
  return { workspaceId: workspace.id, keyId: key.id, apiKey: key.secret };
}
