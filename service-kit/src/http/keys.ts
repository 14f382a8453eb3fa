import { z } from 'zod';
import type { Role } from './credentials.ts';

/** One of the keys of a setting. */
export interface Key {
  /** Several keys may have one name, so that they can be rotated. */
  name: string;
  role: Role;
  isReadOnly: boolean;
  key: string;
  /** Its place in the setting, as messages name it; '' if the setting is this key alone. */
  entry: string;
}

type ReadKey = Key & { faults: string[] };

const minKeyLength = 16;

/** A bearer token as RFC 6750 has it, and too long to be guessed. */
const keySchema = z
  .string()
  .min(minKeyLength, { error: `must have at least ${minKeyLength} characters`, abort: true })
  .regex(/^[\w.~+/-]+=*$/, 'must consist of letters, digits and - . _ ~ + /');

export const keyForm = `at least ${minKeyLength} letters, digits and - . _ ~ + /`;

/** `name:key` and `name:key:read`, separated by commas or lines. */
export const clientKeys = () => keysSchema((text) => readNamedKeys(text, 'client'));

/** One key, whose name is `admin`, or `name:key`, separated as those of the clients. */
export const adminKeys = () =>
  keysSchema((text) =>
    /[:,\n]/.test(text) ? readNamedKeys(text, 'admin') : [readKey(text, 'admin', 'admin', '')],
  );

/** One key, or two with a comma between them: the first one is sent, and both are accepted. */
export const serviceTokens = () =>
  keysSchema((text) => {
    const tokens = text.split(',');
    const isAlone = tokens.length === 1;
    return tokens.map((token, index) => {
      const read = readKey(token, 'service', 'service', isAlone ? '' : `entry ${index + 1}`);
      return index < 2
        ? read
        : { ...read, faults: [`${read.entry} must be left out: there are at most two`] };
    });
  });

/** The messages are in words, and never have a key in them. */
const keysSchema = (read: (text: string) => ReadKey[]) =>
  z.string().transform((text, { issues }): Key[] =>
    read(text).map(({ faults, ...key }) => {
      for (const message of faults) issues.push({ code: 'custom', message, input: text });
      return key;
    }),
  );

function readKey(text: string, name: string, role: Role, entry: string): ReadKey {
  const key = text.trim();
  const { error } = keySchema.safeParse(key);
  const faults = (error?.issues ?? []).map(({ message }) =>
    entry ? `the key of ${entry} ${message}` : message,
  );
  return { name, role, isReadOnly: false, key, entry, faults };
}

const readNamedKeys = (text: string, role: 'client' | 'admin'): ReadKey[] =>
  text.split(/,|\r?\n/).map((part, index) => readNamedKey(part.trim(), role, index + 1));

function readNamedKey(part: string, role: 'client' | 'admin', position: number): ReadKey {
  const [name = '', key = '', ...rights] = part.split(':');
  const isReadOnly = role === 'client' && rights.length === 1 && rights[0] === 'read';
  const hasForm = rights.length === 0 || isReadOnly;
  // What may be a key, or a part of one, is not repeated as a name: the two may be the wrong way round, or the key have a colon.
  const isName = hasForm && name.length < minKeyLength;
  const entry = isName ? `entry ${position} (${name})` : `entry ${position}`;
  const read = { ...readKey(key, name, role, entry), isReadOnly };
  if (!/^[\w-]{1,64}$/.test(name) || key === '') {
    const fault = `entry ${position} must be name:key, with a name of at most 64 letters, digits, - and _`;
    return { ...read, faults: [fault] };
  }
  const faults = [...read.faults];
  if (isReserved(name, role)) faults.unshift(`the name of entry ${position} must be ${notReserved[role]}`);
  if (!hasForm) faults.push(`${entry} must be ${forms[role]}: a key has no colon`);
  return { ...read, faults };
}

const forms = { client: 'name:key or name:key:read', admin: 'name:key' };
const notReserved = { client: 'neither admin nor service', admin: 'other than service' };

const isReserved = (name: string, role: 'client' | 'admin') =>
  name === 'service' || (name === 'admin' && role !== 'admin');
