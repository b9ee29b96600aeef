import { hash } from 'node:crypto';

/** SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits; of a text, its UTF-8 bytes are hashed. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}
