/** The strong ETag of a row with a version. */
export function versionTag(version: number): string {
  return `"${version}"`;
}

/**
 * The versions that an `If-Match` header names (RFC 9110, 13.1.1): null where any will do. Tags that are not ours, weak ones among them,
 * match nothing.
 */
export function versionsOf(header: string | undefined): number[] | null {
  if (header === undefined || header.trim() === '*') return null;
  const tags = header.split(',').map((tag) => /^\s*"([1-9]\d{0,8})"\s*$/.exec(tag)?.[1]);
  return tags.flatMap((tag) => (tag === undefined ? [] : [Number(tag)]));
}
