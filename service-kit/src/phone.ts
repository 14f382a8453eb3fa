import parsePhoneNumber, { type CountryCode, isSupportedCountry } from 'libphonenumber-js/min';
import { z } from 'zod';

export const countrySchema = z
  .string()
  .refine(
    (code): code is CountryCode => isSupportedCountry(code),
    'must be an ISO 3166 country code such as CO',
  );

/**
 * A phone as E.164; a national number is one of the default country. Whether the length is possible is checked, and no
 * more: which ranges are in use changes faster than any list of them, and the provider knows.
 */
export function normalizePhone(text: string, defaultCountry: CountryCode): string | undefined {
  const phone = parsePhoneNumber(text, defaultCountry);
  return phone?.isPossible() && !phone.ext ? phone.number : undefined;
}

/** The calling code without + and the national number without it, as Aldeamo takes them. */
export function splitPhone(e164: string): { callingCode: string; nationalNumber: string } | undefined {
  const phone = parsePhoneNumber(e164);
  return phone && { callingCode: phone.countryCallingCode, nationalNumber: phone.nationalNumber };
}
