/**
 * The first name that an object of this JSON text has twice, at any depth. `JSON.parse` keeps the last of such members and other
 * parsers keep the first, so a proxy may have checked another value than the one that is used (RFC 8259 section 4).
 *
 * @param json valid
 * @param value what JSON.parse made of it, each member under its name
 */
export function repeatedName(json: string, value: unknown): string | undefined {
  // A colon follows each name; any other one is within a string. Almost always that settles it.
  return countColons(json) === countMembers(value) ? undefined : findRepeated(json);
}

function countColons(json: string): number {
  let count = 0;
  for (let at = json.indexOf(':'); at !== -1; at = json.indexOf(':', at + 1)) count += 1;
  return count;
}

/** Of the value and all that it holds. No recursion, because it may be nested thousands deep. */
function countMembers(value: unknown): number {
  let count = 0;
  const rest = [value];
  while (rest.length > 0) {
    const each = rest.pop();
    if (typeof each !== 'object' || each === null) continue;
    const held = Object.values(each);
    if (!Array.isArray(each)) count += held.length;
    for (const one of held) if (typeof one === 'object') rest.push(one);
  }
  return count;
}

/** A loop over the text, because a reviver does not see the members that were dropped. */
function findRepeated(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at += 1) {
    const character = json.charCodeAt(at);
    if (character === brace.open) open.push(new Set());
    else if (character === brace.close) open.pop();
    else if (character === quote) {
      const end = endOfString(json, at);
      if (isName(json, end)) {
        const names = open.at(-1);
        const name = decode(json.slice(at + 1, end));
        if (names?.has(name)) return name;
        names?.add(name);
      }
      at = end;
    }
  }
  return undefined;
}

const quote = '"'.charCodeAt(0);
const backslash = '\\'.charCodeAt(0);
const colon = ':'.charCodeAt(0);
const brace = { open: '{'.charCodeAt(0), close: '}'.charCodeAt(0) };

/** The position of the closing quote: the first that is not preceded by an odd number of backslashes. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); ; end = json.indexOf('"', end + 1)) {
    let before = end - 1;
    while (json.charCodeAt(before) === backslash) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
}

/** A string is a name if a colon follows it, perhaps after white space. */
function isName(json: string, end: number): boolean {
  let next = end + 1;
  while (json.charCodeAt(next) <= 0x20) next += 1;
  return json.charCodeAt(next) === colon;
}

/** The same name can be written in several ways: `a` is `\u0061`. */
const decode = (name: string): string => (name.includes('\\') ? JSON.parse(`"${name}"`) : name);
