import { data as libraryList } from 'currency-codes';

/**
 * The day of the published list that this one agrees with, that of amendment 180. A scheduled job says when it is over a year
 * old: compare with https://www.six-group.com/en/products-services/financial-information/data-standards.html, and set it.
 */
export const listOf = '2026-01-01';

/** Amendments that the library's list, of 2024-06-25, lacks: ISO 4217 code to number of decimals. */
const introduced: [code: string, decimals: number][] = [['XCG', 2]];

/** No new payment is in one of these, but there are stored ones. */
const withdrawn: [code: string, decimals: number][] = [
  ['ANG', 2],
  ['BGN', 2],
  ['CUC', 2],
];

/** What the list has besides money to pay with: units of account and funds (CLF, USN), metals (XAU), tests and "none" (XXX). */
const noMoney = /^(?:BOV|CHE|CHW|CLF|COU|MXV|USN|UYI|UYW|X(?!AF|CD|CG|OF|PF)..)$/;

/**
 * ISO 4217 code to number of decimals, of each currency that a payment is in or ever was. Intl.NumberFormat is no source for it:
 * it says how a currency is shown, which for COP is without decimals, where ISO 4217 has two.
 */
export const decimalsOf: ReadonlyMap<string, number> = new Map([
  ...libraryList.map(({ code, digits }) => [code, digits] as const),
  ...introduced,
  ...withdrawn,
]);

const isWithdrawn = (code: unknown) => withdrawn.some(([former]) => former === code);

/** Those of new payments. */
export const currencyCodes = [...decimalsOf.keys()]
  .filter((code) => !noMoney.test(code) && !isWithdrawn(code))
  .sort() as [string, ...string[]];

/** A sentence that says why it is none of those. */
export function currencyError(code: unknown): string {
  if (isWithdrawn(code)) return 'must be a currency in use: this one has been withdrawn';
  if (typeof code === 'string' && decimalsOf.has(code))
    return 'must be a currency: this code stands for a fund, a metal or a test';
  return 'must be an ISO 4217 code such as COP';
}
