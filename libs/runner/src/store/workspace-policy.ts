import type { Database } from '#database';

/** Whether the steps of a workspace may have the network: as it is decided now, not when the job was submitted. */
export async function allowsNetwork(database: Database, workspaceId: string): Promise<boolean> {
  const rows = await database.query<{ allow_network: boolean }>({
    name: 'allows-network',
    text: 'SELECT allow_network FROM workspaces WHERE id = $1',
    values: [workspaceId],
  });
  return rows[0]?.allow_network ?? false;
}
