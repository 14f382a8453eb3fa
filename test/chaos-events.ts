import { setTimeout as delay } from 'node:timers/promises';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import type { Answering, Arrival, Merchant } from './doubles/merchant.ts';
import { eventually } from './eventually.ts';
import { call } from './http.ts';

interface FeedEvent {
  id: string;
  type: string;
  timestamp: string;
  data: Arrival['body']['data'];
}

interface FeedPage {
  data: FeedEvent[];
  cursor: string;
  has_more: boolean;
}

/** What the merchant's endpoint does with a request while payments are made. */
export function rollAnswering(roll: () => number): Answering {
  if (roll() < 0.9) return 'well';
  const faults = ['error', 'throttle', 'redirect', 'slow', 'huge', 'hang', 'cut'] as const;
  return faults[Math.floor(roll() * faults.length)] ?? 'well';
}

/** Follows the feed of a replica that is up until it is stopped; then reads it to its end. */
export function followFeed(anyUrl: () => string) {
  const events: FeedEvent[] = [];
  let cursor = '';
  let stopped = false;

  async function readOn(): Promise<boolean> {
    const after = cursor && `&after=${cursor}`;
    const { status, body } = await call<FeedPage>('GET', `${anyUrl()}/events?limit=50${after}`);
    if (status === 503) return true; // the store is down
    if (status !== 200) throw new Error(`the feed was answered ${status}: ${JSON.stringify(body)}`);
    events.push(...body.data);
    cursor = body.cursor;
    return body.has_more;
  }

  async function run(): Promise<void> {
    for (;;) {
      const ending = stopped;
      const more = await readOn().catch((error: unknown) => {
        if (!(error instanceof TypeError)) throw error; // fetch throws it for a refused or lost connection
        return true;
      });
      if (ending && !more) return;
      if (!more) await delay(20);
    }
  }
  const running = run();

  return {
    async stop(): Promise<FeedEvent[]> {
      stopped = true;
      await running;
      return events;
    },
  };
}

export async function readFeed(url: string): Promise<FeedEvent[]> {
  const events: FeedEvent[] = [];
  for (let query = 'limit=1000'; ; ) {
    const { body } = await call<FeedPage>('GET', `${url}/events?${query}`);
    events.push(...body.data);
    if (!body.has_more) return events;
    query = `limit=1000&after=${body.cursor}`;
  }
}

/** Has a replica whose worker was stopped by a 410 go on, and what is dead be delivered again. */
export const resumeWebhooks = (url: string) =>
  call('POST', `${url}/webhook-deliveries/replay`, { since: '2026-01-01T00:00:00Z' });

/** Has what waits for its next try be delivered now, until nothing is left. */
export async function deliverTheRest(url: string): Promise<void> {
  const waiting = async () => {
    const { body } = await call<{ data: { event_id: string; tries: number }[] }>(
      'GET',
      `${url}/webhook-deliveries?status=pending&limit=100`,
    );
    for (const { event_id, tries } of body.data)
      if (tries > 0) await call('POST', `${url}/webhook-deliveries/${event_id}/replay`);
    return body.data.length;
  };
  await eventually(waiting, (count) => count === 0, 120_000);
}

/** Compares what the merchant received with the feed, and both with the payments. Every figure but the first is to be 0. */
export function countEvents(
  { arrivals, refused }: Merchant,
  feed: FeedEvent[],
  followed: FeedEvent[],
  payments: PaymentView[],
) {
  const [firsts, taken] = [firstOf(arrivals), firstOf(arrivals.filter(({ taken }) => taken))];
  const ofFeed = byPayment(feed);
  const isAlike = (first: Map<string, string[]>) => (payment: PaymentView) =>
    sameList(ofFeed.get(payment.payment_id)?.map(({ id }) => id) ?? [], first.get(payment.payment_id) ?? []);
  const wrong = (isRight: (payment: PaymentView) => boolean) =>
    payments.filter((payment) => !isRight(payment)).length;
  return {
    'events in the feed': feed.length,
    'payments whose events did not arrive, each at least once and in order': wrong(isAlike(firsts)),
    'payments whose events were not taken in order': wrong(isAlike(taken)),
    'payments whose events do not lead to what is on record': wrong((payment) =>
      leadsTo(payment, ofFeed.get(payment.payment_id) ?? []),
    ),
    'requests with a wrong signature': refused.length,
    'events that a follower of the feed missed, or read twice or elsewhere': sameList(
      feed.map(({ id }) => id),
      followed.map(({ id }) => id),
    )
      ? 0
      : 1,
  };
}

/** The ids of each payment's events, in the order in which each came first. */
function firstOf(arrivals: Arrival[]): Map<string, string[]> {
  const firsts = new Map<string, string[]>();
  const known = new Set<string>();
  for (const { id, body } of arrivals) {
    if (known.has(id)) continue;
    known.add(id);
    firsts.getOrInsertComputed(body.data.payment_id, () => []).push(id);
  }
  return firsts;
}

const byPayment = (feed: FeedEvent[]) => Map.groupBy(feed, ({ data }) => data.payment_id);

/** Each event changes the status, and the last is what the payment's record says. */
function leadsTo(payment: PaymentView, events: FeedEvent[]): boolean {
  let status = 'pending';
  let duplicates = 0;
  for (const { type, data } of events) {
    if (type === 'payment.possible_duplicate') {
      duplicates += 1;
      continue;
    }
    if (type !== `payment.notification.${data.notification_status}` || data.notification_status === status)
      return false;
    status = data.notification_status;
  }
  return status === payment.notification_status && (!payment.possible_duplicate || duplicates > 0);
}

const sameList = (one: string[], other: string[]) =>
  one.length === other.length && one.every((value, index) => value === other[index]);
