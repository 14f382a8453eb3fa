import { credential, isPlaceholder, type Objection } from 'service-kit/provider/credential-settings.ts';

/** The shapes of what identifies a Twilio account, so that a value in the place of another is refused at the start. */

/** The ids that are set, by their first letters. https://www.twilio.com/docs/glossary/what-is-a-sid */
const kinds = {
  AC: { what: 'an account SID', setting: 'TWILIO_ACCOUNT_SID' },
  SK: { what: 'the SID of an API key', setting: 'TWILIO_API_KEY_SID' },
  MG: { what: 'the SID of a messaging service', setting: 'TWILIO_MESSAGING_SERVICE_SID' },
};
type Prefix = keyof typeof kinds;

/** Those of Twilio's OpenAPI document, `^AC[0-9a-fA-F]{32}$`; digits that are all the same are those of an example. */
const wrongDigits =
  (prefix: Prefix | ''): Objection =>
  (text) => {
    const [, digits] = new RegExp(`^${prefix}([0-9a-fA-F]{32})$`).exec(text) ?? [];
    if (digits) return /^(.)\1*$/.test(digits) ? isPlaceholder : undefined;
    return `must be ${prefix}${prefix && ' and '}32 hexadecimal digits${hintFor(text)}`;
  };

export const sid = (prefix: Prefix) =>
  credential(wrongDigits(prefix)).meta({ form: `${prefix} and 32 hexadecimal digits` });

/** Of the account, not of an API key. */
export const authToken = () => credential(wrongDigits('')).meta({ form: '32 hexadecimal digits' });

/** Its shape is not published, so that only an id in its place is refused. */
export const apiKeySecret = () =>
  credential((text) => hintFor(text) && `must be the secret of an API key${hintFor(text)}`);

/**
 * A phone number, a short code of 3 to 8 digits, or a name.
 * https://www.twilio.com/docs/messaging/services/api/alphasender-resource
 */
const senders = [/^\+[1-9]\d{6,14}$/, /^\d{3,8}$/, /^(?=.*[A-Za-z])[\w &+-]{1,11}$/];

const wrongSender: Objection = (text) =>
  senders.some((shape) => shape.test(text))
    ? undefined
    : `must be a phone number such as +12025550123, a short code of 3 to 8 digits, or a name of at most 11 letters, digits, blanks and & + - _${hintFor(text)}`;

export const sender = () =>
  credential(wrongSender).meta({
    form: 'a phone number such as +12025550123, a short code, or a name of at most 11 characters',
  });

/** Where the value belongs, if that can be seen. Never the value. */
function hintFor(text: string): string {
  if (/^PN[0-9a-f]{32}$/i.test(text))
    return '; this is the SID of a phone number: set the number itself in TWILIO_FROM';
  const kind = /^(AC|SK|MG)[0-9a-f]{32}$/i.exec(text)?.[1]?.toUpperCase();
  if (kind) return `; this is ${kinds[kind as Prefix].what}, for ${kinds[kind as Prefix].setting}`;
  return /^\+\d+$/.test(text) ? '; a phone number belongs in TWILIO_FROM, as +12025550123' : '';
}
