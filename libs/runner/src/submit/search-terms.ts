import type { JsonObject } from '#kernel';

/** Longer names and values are kept with the job but cannot be searched for: a word has to fit into an index. */
export const MAX_SEARCHABLE_NAME = 100;
export const MAX_SEARCHABLE_LENGTH = 200;

/** The words that a job is found by: `tag=NAME` for each tag and `meta.KEY=VALUE` for each scalar at the top of its metadata. */
export function searchTerms(tags: string[], metadata: JsonObject): string[] {
  const terms = tags.map(tagTerm);
  for (const [key, value] of Object.entries(metadata)) {
    if (value === null || typeof value === 'object' || key.length > MAX_SEARCHABLE_NAME) continue;
    if (String(value).length <= MAX_SEARCHABLE_LENGTH) terms.push(metadataTerm(key, String(value)));
  }
  return [...new Set(terms)];
}

export function tagTerm(tag: string): string {
  return `tag=${tag}`;
}

/** A `=` of the key is written in another way, so that the first one is always where the value begins. */
export function metadataTerm(key: string, value: string): string {
  return `meta.${key.replace(/[%=]/g, encodeURIComponent)}=${value}`;
}
