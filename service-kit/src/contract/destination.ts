import parsePhoneNumber, { type PhoneNumber } from 'libphonenumber-js/max';
import metadata from 'libphonenumber-js/max/metadata';
import type { Country } from './phone.ts';

/** Numbers whose SMS may cost many times what those to the country's other numbers do. */
const dear = new Set(['PREMIUM_RATE', 'SHARED_COST', 'PERSONAL_NUMBER']);

/**
 * Whether a phone (E.164) is an ordinary number of one of the countries. Numbers of no country are never one: satellite and
 * international ones (ITU-T E.164: +800, +870, +881, +882, +883, +979 and others), and calling codes that are not assigned.
 * Premium-rate, shared-cost and personal numbers aren't either, as far as the library's metadata knows them.
 *
 * A number within no known range counts as one of the country that is first at its calling code, such as US at +1, because
 * ranges are opened faster than the metadata is renewed.
 */
export function isOrdinaryNumberOf(countries: readonly Country[], e164: string): boolean {
  const phone = parsePhoneNumber(e164);
  if (!phone || phone.isNonGeographic() || dear.has(phone.getType() ?? '')) return false;
  const country = phone.country ?? countriesAt(phone)[0];
  return countries.some((allowed) => allowed === country || isValidIn(allowed, phone));
}

/** The countries of a number's calling code, the main one first. */
const countriesAt = ({ countryCallingCode }: PhoneNumber): Country[] =>
  metadata.country_calling_codes[countryCallingCode] ?? [];

/** Some countries share their ranges, such as Guadeloupe and Saint Martin: the library names only one of them. */
function isValidIn(country: Country, phone: PhoneNumber): boolean {
  if (!countriesAt(phone).includes(country)) return false;
  phone.country = country;
  return phone.isValid();
}
