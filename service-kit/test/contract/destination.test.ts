import { getCountries, getExampleNumber } from 'libphonenumber-js/mobile';
import examples from 'libphonenumber-js/mobile/examples';
import { describe, expect, test } from 'vitest';
import { isOrdinaryNumberOf } from '../../src/contract/destination.ts';

describe('an ordinary number of a country', () => {
  test('is the example mobile of each country, also where countries share their ranges', () => {
    const mobiles = getCountries().flatMap((country) => {
      const phone = getExampleNumber(country, examples);
      return phone ? [[country, phone.number] as const] : [];
    });
    expect(mobiles.length).toBeGreaterThan(240);
    expect(mobiles.filter(([country, phone]) => !isOrdinaryNumberOf([country], phone))).toEqual([]);
  });

  test.each([
    ['a mobile of the country', '+573001234567', ['CO'], true],
    ['a mobile of the second country', '+573001234567', ['US', 'CO'], true],
    ['a mobile of a neighbour', '+593991234567', ['CO'], false],
    ['a number of no listed country', '+573001234567', [], false],
    ['a number of the Caribbean beside US', '+18765551234', ['US'], false],
    ['a number of the Bahamas within no known range, beside US', '+12420000000', ['US'], false],
    ['a number of North America within no known range', '+19995551234', ['US'], true],
    ['a number of North America within no known range, beside CA', '+19995551234', ['CA'], false],
    ['a mobile of Kazakhstan beside RU', '+77001234567', ['RU'], false],
    ['a mobile of Jersey beside GB', '+447797712345', ['GB'], false],
    ['a fixed line', '+576012345678', ['CO'], true],
  ] as const)('%s (%s of %j): %s', (_, phone, countries, expected) => {
    expect(isOrdinaryNumberOf(countries, phone)).toBe(expected);
  });

  test.each([
    ['freephone', '+80012345678'],
    ['shared cost', '+80812345678'],
    ['Inmarsat', '+870773111632'],
    ['personal', '+878101234567890'],
    ['Globalstar', '+88161234567'],
    ['Iridium', '+881631234567'],
    ['a network of several countries', '+88216123456'],
    ['a network of several countries, the newer code', '+883510012345'],
    ['aid', '+888123456789'],
    ['premium rate', '+979123456789'],
    ['a calling code that is not assigned', '+999123456789'],
    ['another one', '+2101234567'],
    ['a premium-rate number of the United States', '+19005551234'],
    ['a personal number of the United States', '+15005551234'],
    ['a premium-rate number of Colombia', '+5719001234567'],
    ['a premium-rate number of the United Kingdom', '+448431234567'],
    ['a personal number of the United Kingdom', '+447012345678'],
  ])('is not one of %s, %s, whatever is allowed', (_, phone) => {
    expect(isOrdinaryNumberOf(getCountries(), phone)).toBe(false);
  });
});
