import { withOwner } from '#database';
import { newId } from '#kernel';
import { createApiKey } from './api-keys.js';
import { ALL_SCOPES } from './scopes.js';

export interface DefaultWorkspace {
  id: string;
  name: string;
  /** The secret of the first key; only from the call that created the workspace. */
  apiKey: string | null;
}

const SLUG = 'default';

/**
 * The workspace that a new installation starts with. The first call creates it together with a key that may do everything; of several
 * at once, one does. Later calls find it.
 * @param ownerUrl the owner's connection, as for migrations
 */
export async function ensureDefaultWorkspace(ownerUrl: string): Promise<DefaultWorkspace> {
  return withOwner(ownerUrl, async (client) => {
    await client.query('BEGIN');
    const created = await client.query<{ id: string; name: string }>(
      'INSERT INTO workspaces (id, name, slug) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING RETURNING id, name',
      [newId(), 'default', SLUG],
    );
    const workspace = created.rows[0];
    const key =
      workspace === undefined
        ? null
        : await createApiKey(client, { workspaceId: workspace.id, name: 'first key', scopes: ALL_SCOPES });
    await client.query('COMMIT');
    if (workspace !== undefined) return { ...workspace, apiKey: key?.secret ?? null };
    const found = await client.query<{ id: string; name: string }>('SELECT id, name FROM workspaces WHERE slug = $1', [
      SLUG,
    ]);
    const existing = found.rows[0];
    if (existing === undefined) throw new Error('the default workspace was neither created nor found');
    return { ...existing, apiKey: null };
  });
}
