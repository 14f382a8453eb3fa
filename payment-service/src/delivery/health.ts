import { type Provider, providers } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import type { ProviderReport } from '../providers/circuit-report.ts';
import { isAccountRefused } from '../providers/circuit-state.ts';
import { areMixed } from '../providers/provider-modes.ts';

export const healthSchema = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy']).meta({
    description:
      '`degraded`: one of the providers cannot send, is held by an operator, or refuses the account. `unhealthy`: neither can send, or the store is unavailable',
  }),
  reasons: z.array(z.string()).meta({
    description:
      'What keeps the status from being `healthy`: `store_unavailable`, or of a provider `circuit_open`, `circuit_half_open`, `throttled`, `held`, `sandbox_beside_live`, `account_refused`',
    example: ['Aldeamo: circuit_open'],
  }),
});
export type Health = z.infer<typeof healthSchema>;

/**
 * A half-open circuit lets no more than a probe through, so that a provider cannot send until it is closed, and the status of an
 * outage does not change with each probe.
 */
export function healthOf(reports: Record<Provider, ProviderReport>, isStoreAvailable: boolean): Health {
  const isMixed = areMixed({ Aldeamo: reports.Aldeamo.mode, Twilio: reports.Twilio.mode });
  const reasons = isStoreAvailable ? [] : ['store_unavailable'];
  let isAnyAvailable = false;
  for (const provider of providers) {
    const obstacles = obstaclesOf(reports[provider], isMixed);
    isAnyAvailable ||= obstacles.length === 0;
    if (refusesAccount(reports[provider])) obstacles.push('account_refused');
    reasons.push(...obstacles.map((obstacle) => `${provider}: ${obstacle}`));
  }
  if (!isStoreAvailable || !isAnyAvailable) return { status: 'unhealthy', reasons };
  return { status: reasons.length > 0 ? 'degraded' : 'healthy', reasons };
}

/** Why a provider cannot send; empty if it can. */
function obstaclesOf({ state, throttled_until, held, mode }: ProviderReport, isMixed: boolean): string[] {
  const obstacles: string[] = [];
  if (state !== 'closed') obstacles.push(`circuit_${state}`);
  if (throttled_until !== null) obstacles.push('throttled');
  if (held !== null) obstacles.push('held');
  if (isMixed && mode === 'sandbox') obstacles.push('sandbox_beside_live');
  return obstacles;
}

/** A send learns of it before the next report of the provider service does. */
const refusesAccount = ({ account, reason }: ProviderReport): boolean =>
  account?.state === 'refused' || isAccountRefused(reason);
