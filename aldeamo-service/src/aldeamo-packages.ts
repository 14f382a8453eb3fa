import { type Answer, parseJson } from 'service-kit/client/answer.ts';
import type { Check } from 'service-kit/provider/account.ts';
import { z } from 'zod';
import { numberSchema } from './aldeamo-outcomes.ts';
import { codeOf } from './aldeamo-refusals.ts';

const wordSchema = z.string().toUpperCase().optional().catch(undefined);
const packageSchema = z.looseObject({ available: numberSchema, state: wordSchema, packageType: wordSchema });
const reportSchema = z.looseObject({
  status: numberSchema,
  result: z.array(packageSchema.optional().catch(undefined)).optional().catch(undefined),
});

/**
 * Reads the report of the account's packages. Only refused credentials say that an SMS would be refused: an account may have a right
 * to send and none to reports, and what is said of packages is shown alone.
 */
export function readPackageReport({ status, body }: Answer): Check {
  if (status === 401) return credentialsRefused;
  if (status === 403) return { state: 'unknown', reason: 'check_forbidden' };
  if (status >= 500) return { state: 'unhealthy', reason: `http_${status}` };
  // Of an address without this report nothing follows for sends.
  if (status !== 200) return { state: 'unknown', reason: `http_${status}` };
  const report = reportSchema.safeParse(parseJson(body)).data;
  if (!report) return { state: 'unknown', reason: 'unreadable_answer' };
  if (report.status === -1) return credentialsRefused;
  // Else it may be of anything that answers with JSON.
  if (report.status === undefined ? !report.result : Number.isNaN(report.status))
    return { state: 'unknown', reason: 'unreadable_answer' };
  if (report.status !== undefined && report.status !== 1)
    return { state: 'unknown', reason: codeOf(report.status) };
  const balance = balanceOf(report.result ?? []);
  return { state: 'healthy', ...(balance !== undefined && { balance }) };
}

const credentialsRefused = { state: 'refused', reason: 'credentials' } satisfies Check;

/**
 * The SMS that are left. Undefined if no SMS package is listed, since there are accounts without one, or if a number cannot be read: too
 * low a balance would be a false alarm.
 */
function balanceOf(packages: (z.infer<typeof packageSchema> | undefined)[]): number | undefined {
  const ofSms = packages.filter((each) => each?.packageType === 'SMS');
  if (ofSms.length === 0) return undefined;
  let sum = 0;
  for (const each of ofSms) if (each?.state === 'ENABLED') sum += each.available ?? Number.NaN;
  return Number.isFinite(sum) ? sum : undefined;
}
