import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** How to reach the system of a data folder; written by `start`, read by every other command. */
export interface Credentials {
  url: string;
  workspaceId: string;
  /** Null when the key was made elsewhere and is not known here. */
  apiKey: string | null;
}

/** For the owner of the folder alone: whoever reads the key may do everything in the workspace. */
const MODE = 0o600;

export function credentialsFile(dataDir: string): string {
  return join(dataDir, 'credentials.json');
}

/** Null where no system was ever started, or the file is not ours. */
export async function readCredentials(dataDir: string): Promise<Credentials | null> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(credentialsFile(dataDir), 'utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('url' in value) || !('workspaceId' in value)) return null;
  const { url, workspaceId } = value;
  const apiKey = 'apiKey' in value && typeof value.apiKey === 'string' ? value.apiKey : null;
  return typeof url === 'string' && typeof workspaceId === 'string' ? { url, workspaceId, apiKey } : null;
}

/** Replaces the file in one step: a reader sees the old one or the new one, never half of it. */
export async function writeCredentials(dataDir: string, credentials: Credentials): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const file = credentialsFile(dataDir);
  const draft = `${file}.${process.pid}`;
  const { url, workspaceId, apiKey } = credentials;
  await writeFile(draft, `${JSON.stringify({ url, workspaceId, apiKey }, null, 2)}\n`, { mode: MODE });
  await chmod(draft, MODE);
  await rename(draft, file);
}
