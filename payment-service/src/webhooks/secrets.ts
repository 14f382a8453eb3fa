/** Secrets of the Standard Webhooks specification: `whsec_` and the key in base64. Two are for a rotation. */

const prefix = 'whsec_';
const shortest = 24;
const longest = 64;
const most = 2;

/** The entries of WEBHOOK_SECRETS. */
const entriesOf = (text: string): string[] =>
  text
    .split(/,|\r?\n/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

const keyOf = (entry: string): Buffer => Buffer.from(entry.slice(prefix.length), 'base64');

/** Node.js reads base64 leniently, so that another key than the receiver's could come out of a mistyped one. */
function isSecret(entry: string): boolean {
  const key = keyOf(entry);
  return entry === prefix + key.toString('base64') && key.length >= shortest && key.length <= longest;
}

/** The keys of WEBHOOK_SECRETS, which `wrongSecrets` has passed. */
export const secretsOf = (text: string): Buffer[] => entriesOf(text).map(keyOf);

/** What is wrong with WEBHOOK_SECRETS, without the secrets; empty if nothing is. */
export function wrongSecrets(text: string): string[] {
  const entries = entriesOf(text);
  if (entries.length === 0 || entries.length > most)
    return ['must be one secret, or two while one replaces the other'];
  if (entries.length > new Set(entries).size) return ['must be two different secrets'];
  return entries.flatMap((entry, index) =>
    isSecret(entry)
      ? []
      : [`entry ${index + 1} must be whsec_ and the base64 of ${shortest} to ${longest} bytes`],
  );
}
