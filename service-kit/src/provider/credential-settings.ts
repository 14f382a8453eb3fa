import { z } from 'zod';

/** What is wrong with a value, in words and without the value; undefined if nothing is. */
export type Objection = (text: string) => string | undefined;

/**
 * A user, a password, a token or an id of a provider's account. What cannot be right is refused at the start: a blank or a line
 * end that was copied along would be sent, and a placeholder of the documents would be a wrong credential. The first objection counts.
 */
export function credential(...objections: Objection[]) {
  const objectionTo = (text: unknown) => firstOf([hidden, blank, placeholder, ...objections], String(text));
  // One check that does not abort, so that those over several settings are made, too.
  return z.string().refine((text) => !objectionTo(text), { error: ({ input }) => objectionTo(input) });
}

function firstOf(objections: Objection[], text: string): string | undefined {
  for (const objectionTo of objections) {
    const objection = objectionTo(text);
    if (objection) return objection;
  }
  return undefined;
}

const hidden: Objection = (text) =>
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)
    ? 'must have no line end, and no other invisible character'
    : undefined;

const blank: Objection = (text) => (text === text.trim() ? undefined : 'must not begin or end with a blank');

const placeholder: Objection = (text) =>
  placeholders.some((shape) => shape.test(text)) ? isPlaceholder : undefined;

export const isPlaceholder = 'is a placeholder: replace it by the value of your account';

/** As the documents have it (`your-password`), or as is usual elsewhere. */
const placeholders = [
  /^(your|my)[-_ ](\w+[-_ ])*(user(name)?|password|auth[-_ ]?token|token|secret|key|sid|id)$/i,
  /^<[a-z][a-z _-]*>$/i,
  /^\$\{?[A-Z_]+\}?$/,
  /^([x*.#?])\1+$/i,
  /…/,
  /^change[-_ ]?(me|this|it)$/i,
];
