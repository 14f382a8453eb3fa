import { setTimeout as delay } from 'node:timers/promises';
import type { TwilioMessage } from './twilio-request.ts';
import { type TwilioUpstream, twilio } from './twilio-upstream.ts';
import type { UpstreamAnswer } from './upstream.ts';

interface Step {
  status: string;
  code?: number;
  /** After the step before, in ms. */
  afterMs?: number;
  /** Known by asking alone. */
  isLost?: boolean;
}

/** What becomes of a message, step by step. */
export const twilioDeliveries = {
  delivered: [{ status: 'sent' }, { status: 'delivered' }],
  late: [{ status: 'sent' }, { status: 'delivered', afterMs: 300 }],
  twice: [{ status: 'delivered' }, { status: 'delivered' }],
  contradicting: [{ status: 'undelivered', code: 30008 }, { status: 'delivered' }],
  undelivered: [{ status: 'undelivered', code: 30003 }],
  failed: [{ status: 'failed', code: 30001 }],
  filtered: [{ status: 'undelivered', code: 30007 }],
  optedOut: [{ status: 'failed', code: 21610 }],
  lost: [{ status: 'delivered', isLost: true }],
  never: [],
} satisfies Record<string, Step[]>;

/** Accepts the SMS, and then reports each step by a status callback, if the send has asked for them. */
export const acceptAndReport =
  (upstream: TwilioUpstream, steps: readonly Step[]): UpstreamAnswer<TwilioMessage> =>
  (exchange) => {
    twilio.accepted(exchange);
    void report(upstream, exchange.message, steps);
  };

async function report(
  upstream: TwilioUpstream,
  { sid, statusCallback }: TwilioMessage,
  steps: readonly Step[],
): Promise<void> {
  for (const { status, code, afterMs = 0, isLost } of steps) {
    await delay(afterMs);
    if (isLost || !statusCallback) upstream.setStatus(sid, status, code);
    else await upstream.sendStatus(sid, status, code, { repeats: true }).catch(() => {}); // the service is gone
  }
}
