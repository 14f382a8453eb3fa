/** What a Prefer header (RFC 7240) asks of POST /payments. */
export interface Preferences {
  /** To respond when the payment is durable (section 4.1). */
  respondAsync: boolean;
  /** To respond within this time, in ms (section 4.3); undefined if any will do. */
  waitMs: number | undefined;
}

/**
 * `respond-async` takes no value: an empty one is none, and with any other it is a preference that we do not know, as is a `wait`
 * that is no whole number of seconds. The first of several with the same name counts. A malformed header is ignored, because a
 * preference is no condition.
 */
export function readPreferences(header = ''): Preferences {
  const preferences = parsePrefer(header);
  const preferred = (name: string) => preferences?.find((preference) => preference.name === name)?.value;
  const wait = preferred('wait') ?? '';
  return {
    respondAsync: preferred('respond-async') === '',
    waitMs: /^\d{1,6}$/.test(wait) ? Number(wait) * 1000 : undefined,
  };
}

interface Preference {
  /** In lower case, because names are case-insensitive. */
  name: string;
  /** Empty if there is none. */
  value: string;
}

/** Without parameters. Undefined for a malformed header. */
function parsePrefer(header: string): Preference[] | undefined {
  const lexemes = split(header);
  if (!lexemes) return undefined;
  const preferences: Preference[] = [];
  let at = 0;

  /** `token [ "=" word ]`, as preferences and parameters are; undefined if there is none here. */
  const pair = (): Preference | undefined => {
    if (!isToken(lexemes[at])) return undefined;
    const name = String(lexemes[at++]).toLowerCase();
    if (lexemes[at] !== '=') return { name, value: '' };
    const word = lexemes[++at] ?? '';
    if (!isToken(word) && !isQuoted(word)) return { name, value: '' };
    at += 1;
    return { name, value: isQuoted(word) ? word.slice(1, -1) : word };
  };

  for (; at < lexemes.length; at += 1) {
    const preference = pair();
    if (preference) preferences.push(preference);
    while (preference && lexemes[at] === ';') {
      at += 1;
      pair();
    }
    // A comma, or the end. A list may have empty elements (RFC 9110 section 5.6.1).
    if ((lexemes[at] ?? ',') !== ',') return undefined;
  }
  return preferences;
}

const isToken = (lexeme = '') => lexeme !== '' && !/^[",;=]/.test(lexeme);
const isQuoted = (lexeme: string) => lexeme.startsWith('"');

/** Tokens, quoted strings and separators (RFC 9110 section 5.6). Undefined if a part is none of these, such as a quote alone. */
function split(header: string): string[] | undefined {
  const lexeme = /[ \t]*([!#$%&'*+.^_`|~\w-]+|"(?:[^"\\]|\\.)*"|[,;=])[ \t]*/y;
  const found: string[] = [];
  while (lexeme.lastIndex < header.length) {
    const [, text] = lexeme.exec(header) ?? [];
    if (text === undefined) return undefined;
    found.push(text);
  }
  return found;
}
