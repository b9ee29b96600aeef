/** True for the second and later bytes of a character in UTF-8 (RFC 3629). */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** The first byte of the character that the byte at `index` belongs to. */
export function characterStart(utf8: Buffer, index: number): number {
  let at = index;
  while (at > 0 && isContinuation(utf8[at])) at -= 1;
  return at;
}

/** Bytes without the end of a character whose beginning has been cut off. */
export function withoutTornStart(utf8: Buffer): Buffer {
  let at = 0;
  while (isContinuation(utf8[at])) at += 1;
  return utf8.subarray(at);
}
