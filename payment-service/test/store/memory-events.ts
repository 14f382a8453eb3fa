import { eventsOf, type PaymentEvent } from '../../src/domain/events.ts';
import type { Payment } from '../../src/domain/payment.ts';
import { eventPage, rowsOfPage } from '../../src/store/event-page.ts';
import {
  type EventQuery,
  type EventRecording,
  longestWebhookWaitMs,
  type WebhookDelivery,
  type WebhookQuery,
  type WebhookSettlement,
  type WebhookStatus,
} from '../../src/store/events.ts';

interface StoredEvent {
  number: number;
  event: PaymentEvent;
  /** That of the payment. */
  client: string | null;
  status: WebhookStatus | null;
  tries: number;
  reason: string | null;
  tried_at: string | null;
  /** In ms since the epoch; null unless it is pending. */
  due: number | null;
}

const textOf = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

/** The events of the store in memory. */
export function createMemoryEvents(recording: EventRecording) {
  const events: StoredEvent[] = [];
  let recorded = 0;

  const deliveryOf = ({ event, status, tries, reason, tried_at, due }: StoredEvent): WebhookDelivery => {
    const { event_id, type, payment_id, created_at } = event;
    const next_try_at = textOf(due);
    return {
      ...{ event_id, type, payment_id, created_at },
      ...{ status: status ?? 'pending', tries, reason, tried_at, next_try_at },
    };
  };
  const idOf = ({ event }: StoredEvent) => event.event_id;
  const find = (id: string) => events.find((stored) => idOf(stored) === id);
  const pending = () => events.filter(({ status }) => status === 'pending');
  const dead = () => events.filter(({ status }) => status === 'dead');

  function replay(stored: StoredEvent): void {
    Object.assign(stored, { status: 'pending', tries: 0, reason: null, due: Date.now() });
  }

  function settle(end: WebhookSettlement): void {
    const stored = find(end.event_id);
    if (stored?.status !== 'pending') return;
    if (end.status !== 'delivered' && stored.tries !== end.tries) return;
    if (end.status === 'released') {
      stored.due = Date.now();
      return;
    }
    const { status } = end;
    const reason = end.status === 'delivered' ? null : end.reason;
    const due = end.status === 'pending' ? Date.now() + end.wait_ms : null;
    Object.assign(stored, { status, reason, due, tries: stored.tries + 1, tried_at: textOf(Date.now()) });
  }

  return {
    record(payment: Payment, before: Payment | undefined): void {
      if (recording === 'off') return;
      const isPending = recording === 'webhooks';
      for (const event of eventsOf(payment, before)) {
        recorded += 1;
        const delivery = {
          status: isPending ? ('pending' as const) : null,
          due: isPending ? Date.now() : null,
        };
        const { client } = payment;
        events.push({ number: recorded, event, client, ...delivery, tries: 0, reason: null, tried_at: null });
      }
    },

    read(query: EventQuery) {
      const { after, client } = query;
      const transaction = '0';
      if (after && (after.transaction !== transaction || after.number > recorded)) return undefined;
      const found = events
        .filter(({ number }) => number > (after?.number ?? 0))
        .map(({ number, event, client: owner }) => ({
          ...{ ...event, transaction, number },
          data: client === undefined || client === owner ? event.data : null,
        }));
      return eventPage(found.slice(0, rowsOfPage(query) + 1), query);
    },

    delete(before: number, limit: number): number {
      const isOld = ({ event }: StoredEvent) => Date.parse(event.created_at) < before;
      const oldest = events.splice(0, limit);
      const kept = oldest.filter((stored) => !isOld(stored));
      events.unshift(...kept);
      return oldest.length - kept.length;
    },

    /** Deletes those of these payments, or erases their metadata; returns how many it has deleted. */
    erase(ids: string[]): number {
      const given = events.filter(({ event }) => ids.includes(event.payment_id));
      const isKept = ({ status, event }: StoredEvent) =>
        status === 'pending' || event.type === 'payment.notification.cancelled';
      for (const { event } of given.filter(isKept))
        event.data = JSON.stringify({ ...JSON.parse(event.data), metadata: {} });
      const deleted = given.filter((stored) => !isKept(stored));
      for (const stored of deleted) events.splice(events.indexOf(stored), 1);
      return deleted.length;
    },

    claim(limit: number, leaseMs: number) {
      const isFirst = (stored: StoredEvent) =>
        pending().find(({ event }) => event.payment_id === stored.event.payment_id) === stored;
      const claimed = pending()
        .filter((stored) => Number(stored.due) <= Date.now() && isFirst(stored))
        .sort((a, b) => Number(a.due) - Number(b.due))
        .slice(0, limit);
      return claimed.map((stored) => {
        stored.due = Date.now() + leaseMs;
        return { ...stored.event, tries: stored.tries };
      });
    },

    bringForward(limit: number): void {
      const latest = Date.now() + longestWebhookWaitMs;
      const late = pending()
        .filter(({ due }) => Number(due) > latest)
        .sort((a, b) => Number(a.due) - Number(b.due));
      for (const stored of late.slice(0, limit)) stored.due = Date.now();
    },

    settle: (ends: WebhookSettlement[]) => ends.forEach(settle),

    list({ limit, starting_after: after, status }: WebhookQuery) {
      if (after !== undefined && !find(after)) return undefined;
      const found = events
        .filter((stored) => (status === undefined ? stored.status !== null : stored.status === status))
        .filter((stored) => after === undefined || idOf(stored) < after)
        .sort((a, b) => (idOf(a) < idOf(b) ? 1 : -1));
      return { deliveries: found.slice(0, limit).map(deliveryOf), has_more: found.length > limit };
    },

    replay(id: string) {
      const stored = find(id);
      if (!stored?.status) return undefined;
      replay(stored);
      return deliveryOf(stored);
    },

    replayDead(since: number, limit: number): number {
      const again = dead()
        .filter(({ event }) => Date.parse(event.created_at) >= since)
        .slice(0, limit);
      again.forEach(replay);
      return again.length;
    },

    count: () => ({
      pending: pending().length,
      dead: dead().length,
      oldest_at: pending()[0]?.event.created_at ?? null,
    }),
  };
}
