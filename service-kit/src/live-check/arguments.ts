import { parseArgs } from 'node:util';
import { type Country, normalizePhone } from '../contract/phone.ts';

/**
 * Reads the arguments of a check.
 *
 * @returns the phone for a test SMS as E.164, undefined without one; or that they are wrong
 */
export function readArguments(given: string[], country: Country): { to: string | undefined } | 'wrong' {
  try {
    const { to } = parseArgs({ args: given, options: { to: { type: 'string' } } }).values;
    if (to === undefined) return { to };
    const phone = normalizePhone(to, country);
    return phone === undefined ? 'wrong' : { to: phone };
  } catch {
    return 'wrong';
  }
}
