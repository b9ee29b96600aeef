import { withOwner } from '#database';
import { newId } from '#kernel';

export interface Workspace {
  id: string;
  name: string;
  slug: string;
}

/** Makes a workspace. @param ownerUrl the owner's connection: the runtime roles may not create tenants */
export async function createWorkspace(ownerUrl: string, workspace: { name: string; slug: string }): Promise<Workspace> {
  const id = newId();
  await withOwner(ownerUrl, (client) =>
    client.query('INSERT INTO workspaces (id, name, slug) VALUES ($1, $2, $3)', [id, workspace.name, workspace.slug]),
  );
  return { id, ...workspace };
}
