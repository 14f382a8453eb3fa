import parsePhoneNumber, { type CountryCode, isSupportedCountry } from 'libphonenumber-js/min';
import { z } from 'zod';
import { phoneSchema } from './notification.ts';

export const countrySchema = z
  .string()
  .refine(
    (code): code is CountryCode => isSupportedCountry(code),
    'must be an ISO 3166 country code such as CO',
  );

/**
 * A phone as E.164; a national number is one of the default country. Whether the length is possible is checked, and no
 * more: which ranges are in use changes faster than any list of them, and the provider knows. The whole text must be the
 * phone: a number that is found in other text may be anything, and the SMS would go to a stranger.
 */
export function normalizePhone(text: string, defaultCountry: CountryCode): string | undefined {
  // 00 goes abroad from most countries, but not from all: in Colombia 005 is a carrier, and 0057300… ends up in Russia.
  if (/^\W*00/.test(text)) return undefined;
  const phone = parsePhoneNumber(text, { defaultCountry, extract: false });
  if (!phone?.isPossible() || phone.ext) return undefined;
  return phoneSchema.safeParse(phone.number).data; // some countries have room for more digits than E.164
}

/** The calling code without + and the national number without it, as Aldeamo takes them. */
export function splitPhone(e164: string): { callingCode: string; nationalNumber: string } | undefined {
  const phone = parsePhoneNumber(e164);
  return phone && { callingCode: phone.countryCallingCode, nationalNumber: phone.nationalNumber };
}
