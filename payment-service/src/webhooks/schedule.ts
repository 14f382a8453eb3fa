import type { ClaimedWebhook, WebhookSettlement } from '../store/events.ts';
import type { Try } from './endpoint.ts';

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** Svix's schedule: the wait after each try that failed, in ms. After the last of them the delivery is dead, 28 hours old. */
export const retryWaitsMs = [
  5 * secondMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  10 * hourMs,
  10 * hourMs,
];

/** Up to a tenth less or more, so that what failed together is not tried together. */
export const jittered = (ms: number, random: () => number = Math.random): number =>
  Math.round(ms * (0.9 + 0.2 * random()));

/** What is recorded of a try that has ended. */
export function settlementOf(
  { event_id, tries }: ClaimedWebhook,
  ended: Try,
  random: () => number = Math.random,
): WebhookSettlement {
  const settlement = { event_id, tries };
  if (ended.result === 'taken') return { ...settlement, status: 'delivered' };
  if (ended.result === 'gone') return { ...settlement, status: 'released' };
  const { reason, retryAfterMs = 0 } = ended;
  const waitMs = retryWaitsMs[tries];
  if (waitMs === undefined) return { ...settlement, status: 'dead', reason };
  return {
    ...settlement,
    status: 'pending',
    reason,
    wait_ms: Math.max(jittered(waitMs, random), retryAfterMs),
  };
}
