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
 * A phone as E.164; a national number is one of the default country. Checks only whether the length is possible, because the
 * ranges in use change faster than any list of them, and the provider checks those. The whole text must be the phone: a number
 * found in other text may be anything, and the SMS would go to a stranger.
 */
export function normalizePhone(text: string, defaultCountry: CountryCode): string | undefined {
  // 00 is not the international prefix everywhere: in Colombia 005 selects a carrier, and 0057300… is a number in Russia.
  if (/^\W*00/.test(text)) return undefined;
  const phone = parsePhoneNumber(text, { defaultCountry, extract: false });
  if (!phone?.isPossible() || phone.ext) return undefined;
  return phoneSchema.safeParse(phone.number).data; // some countries have numbers longer than E.164 allows
}

/** The calling code without + and the national number, as Aldeamo's API has them. */
export function splitPhone(e164: string): { callingCode: string; nationalNumber: string } | undefined {
  const phone = parsePhoneNumber(e164);
  return phone && { callingCode: phone.countryCallingCode, nationalNumber: phone.nationalNumber };
}
