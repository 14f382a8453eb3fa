import { describe, expect, test } from 'vitest';
import { currencyCodes, decimalsOf } from '../../src/domain/currencies.ts';
import { formatAmount } from '../../src/domain/money.ts';

/** List one of ISO 4217 as of 2026-01-01, without what is no money, by the number of decimals. */
const published = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
    CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW
    KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK
    PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS
    UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
};

/** What payments were taken in before it was withdrawn, or known to be no money. */
const former = {
  0: 'UYI XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX',
  2: 'ANG BGN BOV CHE CHW COU CUC MXV USN',
  4: 'CLF UYW',
};

const pairs = (table: Record<number, string>) =>
  Object.entries(table).flatMap(([decimals, codes]) =>
    codes.split(/\s+/).map((code) => [code, Number(decimals)] as const),
  );

describe('the currencies', () => {
  test('of new payments are those of the published list, with its decimals', () => {
    const codes = pairs(published).map(([code]) => code);
    expect([...currencyCodes]).toEqual(codes.sort());
    expect(currencyCodes.map((code) => [code, decimalsOf.get(code)])).toEqual(pairs(published).sort());
  });

  test('of stored payments keep their decimals after they were withdrawn', () => {
    expect(pairs(former).map(([code]) => [code, decimalsOf.get(code)])).toEqual(pairs(former));
    expect(formatAmount(1990, 'BGN')).toBe('19.9');
    expect(formatAmount(12_345, 'CLF')).toBe('1.2345');
    expect(currencyCodes).not.toEqual(expect.arrayContaining(['BGN']));
  });
});
