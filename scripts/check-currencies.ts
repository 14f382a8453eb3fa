import process from 'node:process';
import { listOf } from '../payment-service/src/domain/currencies.ts';

/** For a scheduled job: says how old the list of currencies is, and fails if that is over a year. Not a test, which would fail one day. */
const day = 86_400_000;
const age = Math.floor((Date.now() - Date.parse(listOf)) / day);
process.stdout.write(`The list of currencies is that of ${listOf}, ${age} days ago.\n`);
// Also for a date that cannot be read, whose age is NaN.
if (!(age <= 365)) {
  process.stderr.write(
    'Compare payment-service/src/domain/currencies.ts with list one of ISO 4217, and set listOf.\n',
  );
  process.exitCode = 1;
}
