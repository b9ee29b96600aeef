import type { ByteString } from './byte-automaton.js';
import { base64Forms } from './base64-forms.js';
import { doubleQuoted, htmlForms, jsonForms, percentForms, shellForms, toBytes, unicodeEscapes } from './text-forms.js';

/** A shorter line of a secret of several lines is too common to be taken out wherever it appears. */
const SHORTEST_LINE = 4;

/** The forms that escape every character are many times as long: only short values are looked for in them. */
const LONGEST_ESCAPED = 1024;

/** Every way in which a secret may be written. */
export interface SecretForms {
  /** As they stand. */
  plain: Set<ByteString>;
  /** Wherever line breaks and spaces were put between their characters. */
  folded: Set<ByteString>;
}

/**
 * The forms of these secrets: as they are, and as the usual tools write them: base64, hexadecimal, percent-encoded, in JSON, quoted for a shell,
 * in HTML. Of a secret of several lines, its lines as well.
 */
export function secretForms(secrets: Iterable<string>): SecretForms {
  const forms: SecretForms = { plain: new Set(), folded: new Set() };
  for (const secret of secrets) for (const value of partsOf(secret)) addForms(value, forms);
  return forms;
}

/** The secret, and each of its lines that says something by itself; with and without white space around it. */
function partsOf(secret: string): Set<string> {
  const lines = secret.split(/\r\n|\n|\r/);
  const parts = [...(lines.length > 1 ? lines : []), secret.trim(), ...lines.map((line) => line.trim())];
  return new Set([
    secret,
    ...parts.filter((part) => part.trim().length >= SHORTEST_LINE && /[\p{L}\p{N}]/u.test(part)),
  ]);
}

function addForms(value: string, { plain, folded }: SecretForms): void {
  const bytes = Buffer.from(value);
  const encoded = base64Forms(bytes);
  const unfolded = [...encoded].flatMap((form) => [
    form.replaceAll('+', '%2B').replaceAll('/', '%2F'),
    form.replaceAll('+', '%2b').replaceAll('/', '%2f'),
    form.replaceAll('/', '\\/'),
  ]);
  add(plain, [
    ...[toBytes(value), ...percentForms(value), ...jsonForms(value), ...shellForms(value), ...htmlForms(value)],
    ...(value.length > LONGEST_ESCAPED ? [] : [...unicodeEscapes(value), ...hexEscapes(bytes)]),
    ...unfolded.filter((form) => !encoded.has(form)),
  ]);
  const hex = bytes.toString('hex');
  add(folded, [...encoded, hex, hex.toUpperCase()]);
  // A log line in JSON that holds JSON, or a quoted command.
  for (const form of jsonForms(value)) add(plain, [doubleQuoted(form)]);
}

/** `\x73\x65`, as in the string literals of many languages. */
function hexEscapes(bytes: Buffer): ByteString[] {
  const lower = [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`);
  return [lower.join(''), lower.map((escape) => `\\x${escape.slice(2).toUpperCase()}`).join('')];
}

function add(forms: Set<ByteString>, added: Iterable<ByteString>): void {
  for (const form of added) if (form !== '') forms.add(form);
}
