import type { ByteString } from './byte-automaton.js';

const ALPHABETS = [
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
];

/**
 * What of a value shows in base64 (RFC 4648, both alphabets) wherever it stands in the encoded bytes: its characters differ with the number of
 * bytes before it, modulo three. A character that holds bits of the value and of what follows is taken with each of its possible
 * values; one that holds bits of what comes before (four bits of the value at most) is left.
 */
export function base64Forms(value: Buffer): Set<ByteString> {
  const forms = new Set<ByteString>();
  for (const alphabet of ALPHABETS) for (const shift of [0, 1, 2]) addShifted(value, shift, alphabet, forms);
  return forms;
}

function addShifted(value: Buffer, shift: number, alphabet: string, forms: Set<ByteString>): void {
  const bits = (shift + value.length) * 8;
  const encoded = Buffer.concat([Buffer.alloc(shift), value]).toString('base64');
  const own = translated(encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(bits / 6)), alphabet);
  forms.add(own);
  const shared = bits % 6;
  if (shared === 0) return;
  // The last character: its first bits are the value's, the others are open.
  const first = (valueOf(encoded[Math.floor(bits / 6)] ?? 'A') >> (6 - shared)) << (6 - shared);
  for (let open = 0; open < 1 << (6 - shared); open += 1) forms.add(own + (alphabet[first + open] ?? ''));
  forms.add(own + (alphabet[first] ?? '') + (shared === 2 ? '==' : '='));
}

function valueOf(character: string): number {
  return (ALPHABETS[0] ?? '').indexOf(character);
}

function translated(standard: string, alphabet: string): string {
  return alphabet === ALPHABETS[0] ? standard : standard.replaceAll('+', '-').replaceAll('/', '_');
}
