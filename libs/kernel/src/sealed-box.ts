import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { AppError } from './errors.js';

export const KEY_BYTES = 32;
const ALGORITHM = 'aes-256-gcm';
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals a text with AES-256-GCM: version (1 byte), nonce (12), tag (16), ciphertext.
 * @param key 32 bytes
 * @param identity what the text belongs to; opening asks for the same
 */
export function seal(key: Buffer, text: string, identity: readonly string[]): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData(identity));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), ciphertext]);
}

/** @throws AppError SECRET_UNREADABLE when it was sealed with another key or for another identity, or was changed since */
export function openSealed(key: Buffer, sealed: Buffer, identity: readonly string[]): string {
  const head = 1 + NONCE_BYTES + TAG_BYTES;
  if (sealed.length < head || sealed[0] !== VERSION) throw unreadable();
  // The length of the tag has to be said: without it, Node takes tags of four bytes, which can be guessed.
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(1, 1 + NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(additionalData(identity));
  decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, head));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(head)), decipher.final()]).toString('utf8');
  } catch {
    throw unreadable();
  }
}

function additionalData(identity: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(identity));
}

function unreadable(): AppError {
  return new AppError('SECRET_UNREADABLE', 'it was sealed with another key or for something else, or was changed');
}
