const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/**
 * The text as every store can hold it: NUL, which PostgreSQL refuses, and halves of surrogate pairs, which are no Unicode, become U+FFFD.
 * @param maxLength in UTF-16 code units; what is longer ends in an ellipsis
 */
export function storableText(text: string, maxLength: number): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  return short.replaceAll('\0', '\uFFFD').replace(LONE_SURROGATE, '\uFFFD');
}
