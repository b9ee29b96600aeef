import { Injectable } from '@nestjs/common';
import { newId, seal } from '#kernel';
import type { MasterKey } from '#config';
import type { Secrets } from '../definition/check-secrets.js';

/** The secrets of one submission as they are stored. */
export interface SealedSecrets {
  /** Names the set for good, whichever job has it: what each was sealed for is workspace, set and name. */
  setId: string;
  items: { name: string; ciphertext: Buffer }[];
}

/** What a secret is bound to: moved to another workspace, another set or another name, it does not open. */
export function secretIdentity(workspaceId: string, setId: string, name: string): string[] {
  return ['job-secret', workspaceId, setId, name];
}

/** Seals the secrets of submissions. Only workers can open them again: the API's role cannot even read them. */
@Injectable()
export class SecretSealer {
  constructor(private readonly masterKey: MasterKey) {}

  /** @returns null where there are none: then no key is needed */
  async seal(workspaceId: string, secrets: Secrets): Promise<SealedSecrets | null> {
    const entries = Object.entries(secrets);
    if (entries.length === 0) return null;
    const key = await this.masterKey.forSealing();
    const setId = newId();
    const items = entries.map(([name, value]) => ({
      name,
      ciphertext: seal(key, value, secretIdentity(workspaceId, setId, name)),
    }));
    return { setId, items };
  }
}
