import parsePhoneNumber, {
  type CountryCode,
  findPhoneNumbersInText,
  getCountryCallingCode,
  isSupportedCountry,
  Metadata,
  type NumberingPlan,
  type PhoneNumber,
  parseDigits,
} from 'libphonenumber-js/mobile';
import { z } from 'zod';
import { phoneSchema } from './notification.ts';

export const countrySchema = z
  .string()
  .refine(
    (code): code is CountryCode => isSupportedCountry(code),
    'must be an ISO 3166 country code such as CO',
  );

/** A list such as `CO,EC`. */
export const countriesSchema = z
  .string()
  .transform((text) => text.split(',').map((code) => code.trim()))
  .refine(
    (codes): codes is CountryCode[] => codes.every((code) => isSupportedCountry(code)),
    'must be ISO 3166 country codes such as CO,EC',
  );

export type Country = z.output<typeof countrySchema>;

/**
 * A phone as E.164; a national number is one of the default country. It has the digits that were written, all of them: what only
 * resembles a phone must not become the number of a stranger.
 *
 * A number of the default country has the exact length of its mobiles, and is not the beginning of a longer one. Any other has a
 * possible length. Ranges are not checked, because they change faster than any list of them, and the provider knows them.
 */
export function normalizePhone(text: string, defaultCountry: CountryCode): string | undefined {
  const written = withoutScheme(visiblePart(text)).replace(codeInParentheses, '$1 ');
  const digits = parseDigits(written);
  // 00 is not the international prefix everywhere: in Colombia 005 selects a carrier, and 0057300… is a number in Russia.
  if (digits.startsWith('00') || decimal.test(written)) return undefined;
  const phone = read(written, digits, defaultCountry);
  if (phone) return isAmbiguous(phone, written) ? undefined : toE164(phone);
  // The parser takes 4915112345678 for a national number of Germany, which none of that length is.
  const lacksPlus = !plus.test(written) && digits.startsWith(getCountryCallingCode(defaultCountry));
  return lacksPlus ? toE164(read(`+${written}`, digits, defaultCountry)) : undefined;
}

/** Whether a text contains a phone: one of any country with its code, or a national number of the default country. */
export const hasPhone = (text: string, defaultCountry: CountryCode): boolean =>
  findPhoneNumbersInText(text, { defaultCountry }).length > 0;

/** Some countries have numbers longer than E.164 allows. */
const toE164 = (phone: PhoneNumber | undefined) => phoneSchema.safeParse(phone?.number).data;

function read(written: string, digits: string, defaultCountry: CountryCode): PhoneNumber | undefined {
  // Without `extract: false` the number in a URL would be one.
  const phone = parsePhoneNumber(written, { defaultCountry, extract: false });
  if (!phone?.isPossible() || phone.ext) return undefined;
  return isWrittenAs(phone, digits) && isMobileOrAbroad(phone, defaultCountry) ? phone : undefined;
}

/** Without what text copied from a contact or a web page brings along: marks of direction, byte order marks, spaces around. */
const visiblePart = (text: string) =>
  text
    .replace(/^[\p{Cf}\s]+|[\p{Cf}\s]+$/gu, '')
    .replace(invisibleWithin, '')
    .replace(/[\p{Zs}\t]/gu, ' ');

/** Not what turns the direction to the left: behind it a reader sees the groups of digits in another order. */
const invisibleWithin = /(?![\u061c\u200f\u202b\u202e\u2067])\p{Cf}/gu;

/** (+57) 300 123 4567, which the parser takes for text. */
const codeInParentheses = /^[(（] ?([+＋] ?\p{Nd}{1,3}) ?[)）] ?/u;
const plus = /[+＋]/;

/** 3001234567.0 is a number in a spreadsheet. */
const decimal = /[.．]\p{Nd}$|^\P{Nd}*\p{Nd}+[.．](\p{Nd}{2}|[0０٠]+)$/u;

/** RFC 3966. A local number has its context, and whatever else a parameter says would be lost. */
function withoutScheme(text: string): string {
  const [, number, context = ''] = /^tel: *([^;]*)(?:;phone-context=(\+[\d.()-]+))?$/i.exec(text) ?? [];
  return number === undefined ? text : context + number;
}

/** The parser drops more than a trunk prefix: of 057 300 123 456 it takes 05 for the choice of a carrier. */
function isWrittenAs(phone: PhoneNumber, digits: string): boolean {
  const { countryCallingCode: code, nationalNumber: national } = phone;
  return (
    digits === code + national ||
    digits === national ||
    digits === `0${national}` ||
    digits === `${code}0${national}` ||
    digits === parseDigits(phone.formatNational()) // with another trunk prefix, or in Argentina a 15 for the 9
  );
}

/** Without +, 62812345678 may be a national number of Indonesia or lack the + of 62, unless it is a known mobile. */
const isAmbiguous = (phone: PhoneNumber, written: string) =>
  !plus.test(written) &&
  phone.nationalNumber.startsWith(phone.countryCallingCode) &&
  phone.countryCallingCode.length > 1 &&
  !phone.isValid();

/** Mobiles of Colombia have ten digits and begin with 3 (CRC, Resolución 5826 of 2019), whatever else the country's plan has. */
const mobileOfColombia = /^3\d{9}$/;

/** Area code and central office code begin with 2 to 9 in the whole of North America (NANPA, NPA and central office codes). */
const northAmerican = /^[2-9]\d{2}[2-9]\d{6}$/;

/** A part of a numbering plan that the library has and does not declare. */
interface TypesOfNumbers {
  type(name: 'MOBILE'): { possibleLengths(): number[] } | undefined;
}

function isMobileOrAbroad(phone: PhoneNumber, home: CountryCode): boolean {
  const { countryCallingCode, nationalNumber } = phone;
  if (countryCallingCode !== getCountryCallingCode(home)) return true;
  if (home === 'CO') return mobileOfColombia.test(nationalNumber);
  if (countryCallingCode === '1') return northAmerican.test(nationalNumber);
  const metadata = new Metadata();
  metadata.selectNumberingPlan(home);
  const plan = metadata.numberingPlan as NumberingPlan & TypesOfNumbers;
  const lengths = plan.type('MOBILE')?.possibleLengths(); // undefined on Tristan da Cunha, which has none
  if (lengths === undefined) return true;
  return lengths.includes(nationalNumber.length) && !(lengths.length > 1 && lacksDigit(phone));
}

/**
 * In a numbering plan no number is the beginning of another: what one more digit would make a known mobile is one with a digit
 * missing, such as 11 9123 4567 in Brazil.
 */
const lacksDigit = (phone: PhoneNumber) =>
  !phone.isValid() && [...'0123456789'].some((digit) => parsePhoneNumber(phone.number + digit)?.isValid());

/** The calling code without + and the national number, as Aldeamo's API has them. */
export function splitPhone(e164: string): { callingCode: string; nationalNumber: string } | undefined {
  const code: string | undefined = parsePhoneNumber(e164)?.countryCallingCode;
  // The parser's national number lacks what it takes for a trunk prefix.
  return code === undefined ? undefined : { callingCode: code, nationalNumber: e164.slice(1 + code.length) };
}
