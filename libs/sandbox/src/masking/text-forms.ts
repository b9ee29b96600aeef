import type { ByteString } from './byte-automaton.js';

/** The UTF-8 bytes of a text, one character each. */
export function toBytes(text: string): ByteString {
  return Buffer.from(text).toString('latin1');
}

/** What the usual encoders leave as it is, besides letters and digits: ASCII only. */
const URL_SAFE = [
  "-_.!~*'()", // encodeURIComponent
  "-_.!~*'();/?:@&=+$,#", // encodeURI
  '-_.~', // RFC 3986: curl --data-urlencode, jq @uri
  '-_.~/', // Python's quote
  '-_.*', // application/x-www-form-urlencoded (WHATWG URL)
  '-_.', // and as others write it
];

/** Percent-encoded (RFC 3986, and the WHATWG's form encoding), digits in both cases, a space also as a plus sign. */
export function percentForms(text: string): Set<ByteString> {
  const bytes = toBytes(text);
  const forms = new Set<ByteString>();
  const encode = (isSafe: (byte: string) => boolean, space: string, upper: boolean): ByteString =>
    [...bytes].map((byte) => (byte === ' ' ? space : isSafe(byte) ? byte : percent(byte, upper))).join('');
  for (const upper of [true, false]) {
    for (const safe of URL_SAFE) {
      const isSafe = (byte: string): boolean => /[A-Za-z0-9]/.test(byte) || safe.includes(byte);
      for (const space of ['%20', '+']) forms.add(encode(isSafe, space, upper));
    }
    forms.add(encode(() => false, '%20', upper));
  }
  return forms;
}

function percent(byte: string, upper: boolean): string {
  const digits = byte.charCodeAt(0).toString(16).padStart(2, '0');
  return `%${upper ? digits.toUpperCase() : digits}`;
}

const JSON_SHORT: Record<string, string> = { '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r' };

interface JsonStyle {
  /** Line breaks and the like by their letters. */
  short: boolean;
  ascii: boolean;
  slash: boolean;
  html: boolean;
  /** U+007F too. */
  del: boolean;
  upper: boolean;
}

const PLAIN_JSON: JsonStyle = { short: false, ascii: false, slash: false, html: false, del: false, upper: false };

const JSON_CHOICES: { name: keyof JsonStyle; matters: RegExp }[] = [
  { name: 'short', matters: /[\b\t\n\f\r]/ },
  { name: 'ascii', matters: /[\u0080-\uffff]/ },
  { name: 'slash', matters: /\// },
  { name: 'html', matters: /[<>&'\u2028\u2029]/ },
  { name: 'del', matters: /\u007f/ },
  { name: 'upper', matters: /[^ -%(-;=?-~]/ },
];

/** Inside a string of JSON (RFC 8259, section 7), as JSON.stringify, jq, Python, PHP and Go write it. */
export function jsonForms(text: string): Set<ByteString> {
  const forms = new Set<ByteString>();
  // Only what makes a difference for this text.
  const choices = JSON_CHOICES.filter(({ matters }) => matters.test(text));
  for (let chosen = 0; chosen < 1 << choices.length; chosen += 1) {
    const style = { ...PLAIN_JSON };
    choices.forEach(({ name }, bit) => (style[name] = (chosen & (1 << bit)) !== 0));
    forms.add(toBytes(text.replace(/[^]/g, jsonEscaper(style))));
  }
  return forms;
}

/** With every character escaped: `\u0073\u0065`. */
export function unicodeEscapes(text: string): ByteString[] {
  return [true, false].map((upper) => text.replace(/[^]/g, (unit) => unicodeEscape(unit, upper)));
}

/** By UTF-16 code unit: a character outside of the basic plane becomes two escapes. */
function jsonEscaper(style: JsonStyle): (unit: string) => string {
  return (unit) => {
    const code = unit.charCodeAt(0);
    const short = JSON_SHORT[unit];
    if (unit === '"' || unit === '\\' || (unit === '/' && style.slash)) return `\\${unit}`;
    if (short !== undefined && style.short) return short;
    const escaped =
      code < 0x20 ||
      (code === 0x7f && style.del) ||
      (code > 0x7f && style.ascii) ||
      (style.html && (/[<>&']/.test(unit) || code === 0x2028 || code === 0x2029));
    return escaped ? unicodeEscape(unit, style.upper) : unit;
  };
}

function unicodeEscape(unit: string, upper: boolean): string {
  const digits = unit.charCodeAt(0).toString(16).padStart(4, '0');
  return `\\u${upper ? digits.toUpperCase() : digits}`;
}

/** What stands between double quotes in JSON, JavaScript or a shell when the text itself holds quotes and backslashes. */
export function doubleQuoted(text: string): ByteString {
  return text.replace(/["\\]/g, '\\$&');
}

const ANSI_C: Record<string, string> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\u000b': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\E',
};

/** Quoted for a shell: what printf %q, ${name@Q}, set, set -x, declare -p and Python's shlex.quote write. */
export function shellForms(text: string): Set<ByteString> {
  const bytes = toBytes(text);
  const each = (pattern: RegExp, replace: string | ((byte: string) => string)): ByteString =>
    typeof replace === 'string' ? bytes.replace(pattern, replace) : bytes.replace(pattern, replace);
  const forms = [
    each(/'/g, "'\\''"),
    each(/'/g, `'"'"'`),
    each(/["\\$`]/g, '\\$&'),
    each(/["\\$`!]/g, '\\$&'),
    // With a backslash before everything special: bash, zsh, and what escapes all but letters and digits.
    each(/[ \t\n'"\\|&;()<>!{}*[\]?^$`,]/g, '\\$&'),
    each(/[ \t\n'"\\|&;()<>!{}*[\]?^$`]/g, '\\$&'),
    each(/[ \t\n'"\\|&;()<>!{}*[\]?^$`=#~]/g, '\\$&'),
    each(/[^A-Za-z0-9_]/g, '\\$&'),
    each(/[^A-Za-z0-9_@%+=:,./-]/g, '\\$&'),
    ...ansiCForms(bytes),
  ];
  // A tilde or a number sign is special only where a word begins.
  return new Set(forms.flatMap((form) => (/^[~#=]/.test(form) ? [form, `\\${form}`] : [form])));
}

/** Inside `$'...'`: bytes beyond ASCII as they are, or as all others that cannot be printed, in octal or hexadecimal. */
function ansiCForms(bytes: ByteString): ByteString[] {
  const octal = (byte: string): string => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`;
  const hex = (byte: string): string => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return [/[\u0080-\u00ff]/g, /(?!)/g].flatMap((beyond) =>
    [octal, hex].flatMap((number) =>
      [true, false].flatMap((singleQuotes) => {
        const escaped = bytes
          .replace(singleQuotes ? /['\\]/g : /["\\]/g, '\\$&')
          .replace(/[\u0000-\u001f\u007f]/g, (byte) => ANSI_C[byte] ?? number(byte));
        const form = escaped.replace(beyond, number);
        return [form, form.replaceAll('\\E', number('\u001b'))];
      }),
    ),
  );
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** In HTML and XML, quotes in their usual ways. */
export function htmlForms(text: string): Set<ByteString> {
  const quotes = [
    ['"', "'"],
    ['&quot;', "'"],
    ['&quot;', '&#39;'],
    ['&#34;', '&#39;'],
    ['&quot;', '&#x27;'],
    ['&quot;', '&apos;'],
  ];
  const escaped = toBytes(text).replace(/[&<>]/g, (character) => ENTITIES[character] ?? character);
  return new Set(quotes.map(([double = '', single = '']) => escaped.replaceAll('"', double).replaceAll("'", single)));
}
