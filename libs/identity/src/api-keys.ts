import { Injectable, Logger } from '@nestjs/common';
import { Database } from '#database';
import { AppError, Batcher, messageOf, newId } from '#kernel';
import { hashSecret, isWellFormedSecret, newSecret, shownPrefix } from './api-key-secret.js';
import { isScope, type Scope } from './scopes.js';

/** The key that a caller presented, and what it may do. */
export interface AuthenticatedKey {
  keyId: string;
  keyName: string;
  workspaceId: string;
  workspaceName: string;
  scopes: Scope[];
  /** Free names that approvals may ask for. */
  roles: string[];
}

/** A key that was just made. The secret is nowhere else. */
export interface NewApiKey {
  id: string;
  secret: string;
}

interface KeyRow {
  key_hash: string;
  id: string;
  workspace_id: string;
  workspace_name: string;
  name: string;
  scopes: string[];
  roles: string[];
  expires_at: Date | null;
  last_used_at: Date | null;
  revoked_at: Date | null;
}

/** `last_used_at` is for people who tidy up their keys: a minute's precision is plenty and costs one write a minute. */
const USE_NOTED_EVERY_MS = 60_000;

/** Tells who a bearer of a secret is. */
@Injectable()
export class ApiKeys {
  private readonly logger = new Logger(ApiKeys.name);
  /**
   * Every request asks the database, so that revoking a key works at once; what requests that arrive together share is the question.
   * (Rejected: remembering answers for some seconds. A revoked key would live on for that long in every process.)
   */
  private readonly lookUps = new Batcher<string, KeyRow | null>((hashes) => this.find(hashes));
  /** When this process last noted the use of a key, by its id. */
  private readonly notedAt = new Map<string, number>();

  constructor(private readonly database: Database) {}

  /** @throws AppError UNAUTHENTICATED when the secret is malformed, unknown, expired or revoked */
  async authenticate(secret: string): Promise<AuthenticatedKey> {
    if (!isWellFormedSecret(secret)) {
      throw new AppError(
        'UNAUTHENTICATED',
        'This is not an API key: it was mistyped or cut. Keys look like `rl_live_` and 33 letters and digits.',
      );
    }
    const row = await this.lookUps.run(hashSecret(secret));
    const now = Date.now();
    if (row === null) throw new AppError('UNAUTHENTICATED', 'This API key is not known here.');
    if (row.revoked_at !== null) throw new AppError('UNAUTHENTICATED', 'This API key was revoked.');
    if (row.expires_at !== null && row.expires_at.getTime() <= now)
      throw new AppError('UNAUTHENTICATED', 'This API key has expired.');
    this.noteUse(row, now);
    return {
      keyId: row.id,
      keyName: row.name,
      workspaceId: row.workspace_id,
      workspaceName: row.workspace_name,
      scopes: row.scopes.filter(isScope),
      roles: row.roles,
    };
  }

  private async find(hashes: string[]): Promise<(KeyRow | null)[]> {
    const rows = await this.database.query<KeyRow>({
      name: 'find-api-keys',
      text: 'SELECT asked.key_hash, found.* FROM unnest($1::text[]) AS asked(key_hash), LATERAL runledger_find_api_key(asked.key_hash) AS found',
      values: [[...new Set(hashes)]],
    });
    const byHash = new Map(rows.map((row) => [row.key_hash, row]));
    return hashes.map((hash) => byHash.get(hash) ?? null);
  }

  /** In the background: a request never waits for it, nor fails with it. */
  private noteUse(row: KeyRow, now: number): void {
    const noted = Math.max(row.last_used_at?.getTime() ?? 0, this.notedAt.get(row.id) ?? 0);
    if (now - noted < USE_NOTED_EVERY_MS) return;
    this.notedAt.set(row.id, now);
    this.database
      .tenantQuery(row.workspace_id, {
        text: 'UPDATE api_keys SET last_used_at = now() WHERE id = $1',
        values: [row.id],
      })
      .catch((error: unknown) => this.logger.debug(`the use of key ${row.id} was not noted: ${messageOf(error)}`));
  }
}

/** Runs one statement; a pg client of the owner, or one inside a transaction. */
export interface Executes {
  query(text: string, values: unknown[]): Promise<unknown>;
}

/**
 * Makes a key.
 * @param owner a connection that may write keys: the API's own role may not
 */
export async function createApiKey(
  owner: Executes,
  key: { workspaceId: string; name: string; scopes: readonly Scope[]; roles?: readonly string[]; expiresAt?: Date },
): Promise<NewApiKey> {
  const id = newId();
  const secret = newSecret();
  await owner.query(
    'INSERT INTO api_keys (id, workspace_id, name, prefix, key_hash, scopes, roles, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
    [
      ...[id, key.workspaceId, key.name, shownPrefix(secret), hashSecret(secret)],
      ...[key.scopes, key.roles ?? [], key.expiresAt ?? null],
    ],
  );
  return { id, secret };
}
