/** An attachment under the last part of the path: plain ASCII for old clients, RFC 5987 for the name as it is. */
export function attachment(path: string): string {
  const name = path.split('/').at(-1) || 'artifact';
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  // encodeURIComponent leaves four characters alone that RFC 5987 does not allow.
  const encoded = encodeURIComponent(name.replace(/\p{Surrogate}/gu, '_')).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
