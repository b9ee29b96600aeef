import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/**
 * `rl_live_` + 27 base62 digits (160 random bits) + 6 base62 digits of the CRC-32 of what stands before them. The prefix lets secret
 * scanners find a leaked key; the checksum tells a mistyped or cut key from an unknown one without asking the database.
 */
const PREFIX = 'rl_live_';
const RANDOM_BYTES = 20;
const RANDOM_DIGITS = 27;
const CHECKSUM_DIGITS = 6;
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SHAPE = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_DIGITS + CHECKSUM_DIGITS}}$`);

/** How much of a key is stored in the open, for people to tell their keys apart. */
const SHOWN_CHARACTERS = PREFIX.length + 4;

/** A new secret. It is shown once; only `hashSecret` of it is stored. */
export function newSecret(): string {
  const random = base62(BigInt(`0x${randomBytes(RANDOM_BYTES).toString('hex')}`), RANDOM_DIGITS);
  return PREFIX + random + checksum(PREFIX + random);
}

/** True when the text has the form of a key and its checksum is right. Says nothing about whether the key exists. */
export function isWellFormedSecret(text: string): boolean {
  if (!SHAPE.test(text)) return false;
  const body = text.slice(0, -CHECKSUM_DIGITS);
  return text.slice(-CHECKSUM_DIGITS) === checksum(body);
}

/** SHA-256, lower-case hex. The secret has 160 random bits, so a slow password hash would add nothing but cost per request. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

export function shownPrefix(secret: string): string {
  return secret.slice(0, SHOWN_CHARACTERS);
}

function checksum(text: string): string {
  return base62(BigInt(crc32(text)), CHECKSUM_DIGITS);
}

function base62(value: bigint, digits: number): string {
  let text = '';
  for (let rest = value; text.length < digits; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text;
  return text;
}
