/** The strong ETag of a row with a version. */
export function versionTag(version: number): string {
  return `"${version}"`;
}
