import { childEnvironment, loadConfig, type Config } from '#config';
import { embeddedOwnerUrl, withOwner } from '#database';
import { ALL_SCOPES, createApiKey, ensureDefaultWorkspace, isRole, isScope, MAX_ROLES } from '#identity';
import { AppError } from '#kernel';
import { UsageError } from '../failure.js';
import { namingOwner } from './local-database.js';

export interface CreatedKey {
  workspaceId: string;
  keyId: string;
  apiKey: string;
}

export interface KeyOptions {
  name: string;
  /** What it may do; undefined: everything. */
  scopes: string[] | undefined;
  /** Which roles of approvals it carries. */
  roles: string[] | undefined;
  /** Of a local system, which is used where no database is configured. */
  dataDir: string;
}

/**
 * Makes a key to the default workspace, and the workspace too where it is missing, as the owner of the configured database, or of the
 * embedded one while it runs.
 * @throws UsageError for a name, scope or role that is none, and where there is no database
 */
export async function createKey({ name, scopes, roles = [], dataDir }: KeyOptions): Promise<CreatedKey> {
  if (name.length < 1 || name.length > 100) throw new UsageError('--name must have 1 to 100 characters');
  const unknown = (scopes ?? []).filter((scope) => !isScope(scope));
  if (unknown.length > 0) {
    throw new UsageError(`unknown scope: ${unknown.join(', ')}`, [`the scopes are: ${ALL_SCOPES.join(', ')}`]);
  }
  const wrong = roles.find((role) => !isRole(role));
  if (wrong !== undefined)
    throw new UsageError(`"${wrong}" is no role: 1 to 64 of a-z, 0-9, _, . and -, beginning with a letter`);
  if (roles.length > MAX_ROLES) throw new UsageError(`a key carries at most ${MAX_ROLES} roles`);
  const config = loadConfig(childEnvironment({ DATA_DIR: dataDir }));
  const ownerUrl = config.database.ownerUrl ?? embeddedOwnerUrl(config.dataDir);
  if (ownerUrl === null) {
    throw new UsageError('no database is named', [
      'Set DATABASE_OWNER_URL or DATABASE_URL, or name the folder of a local system that runs with --data-dir.',
    ]);
  }
  const workspace = await naming(config, () => ensureDefaultWorkspace(ownerUrl));
  const chosen = scopes === undefined ? ALL_SCOPES : scopes.filter(isScope);
  const key = await withOwner(ownerUrl, (client) =>
    createApiKey(client, { workspaceId: workspace.id, name, scopes: chosen, roles: [...new Set(roles)].sort() }),
  );
  return { workspaceId: workspace.id, keyId: key.id, apiKey: key.secret };
}

/** A failure names the setting, or says that the local system has to run. */
async function naming<Result>(config: Config, call: () => Promise<Result>): Promise<Result> {
  if (config.database.ownerUrl !== undefined) return namingOwner(config, call);
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'DATABASE_UNAVAILABLE') throw error;
    throw new UsageError(`the system in ${config.dataDir} does not run`, ['Start it with "runledger start" first.']);
  }
}
