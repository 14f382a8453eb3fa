import type { EventType, PaymentEvent } from '../domain/events.ts';

/** Whether a store records the events of the changes that it writes, and whether each is to be delivered to the webhook endpoint. */
export type EventRecording = 'off' | 'feed' | 'webhooks';

/** A place in the feed. Places are ordered by the transaction, then by the number. */
export interface EventPosition {
  /** The id of the transaction that recorded the event, in decimal digits; 0 where commits have one order (SQLite). */
  transaction: string;
  number: number;
}

export interface EventQuery {
  /** The place after which the page starts; undefined: with the oldest event. */
  after: EventPosition | undefined;
  /** Whose payments' events are returned; undefined: those of all. */
  client?: string | undefined;
  limit: number;
}

export interface EventPage {
  /** Oldest first. */
  events: PaymentEvent[];
  /** The place of the last event that was looked at, others' included; that of the query if there was none. */
  position: EventPosition | undefined;
  /** When that event was recorded; undefined if there was none. */
  recorded_at: string | undefined;
  /** Whether there are events behind it, perhaps of others alone. */
  has_more: boolean;
}

/** `dead`: no retry will pick it up, because all its tries have failed. */
export type WebhookStatus = 'pending' | 'delivered' | 'dead';

/** What became of the delivery of an event to the webhook endpoint. */
export interface WebhookDelivery {
  event_id: string;
  type: EventType;
  payment_id: string;
  status: WebhookStatus;
  /** Tries that have ended. */
  tries: number;
  /** Why the last try failed; null if none has, or it was delivered. */
  reason: string | null;
  /** When the last try ended. */
  tried_at: string | null;
  /** null unless it is pending. While a worker delivers it, the end of its lease. */
  next_try_at: string | null;
  created_at: string;
}

/** An event whose delivery is leased to the caller. */
export interface ClaimedWebhook extends PaymentEvent {
  /** Tries that have ended. */
  tries: number;
}

/**
 * No delivery is due later than this, in ms: an endpoint can ask for a pause of a day at most, and the waits between tries are shorter.
 * Within the hour is what the clock may be off.
 */
export const longestWebhookWaitMs = 25 * 3_600_000;

/** The end of a try. `released`: it was given up before it ended, so that it does not count. */
export type WebhookSettlement = { event_id: string; tries: number } & (
  | { status: 'delivered' }
  | { status: 'pending'; reason: string; wait_ms: number }
  | { status: 'dead'; reason: string }
  | { status: 'released' }
);

export interface WebhookQuery {
  limit: number;
  /** The id of the event after which the page starts. */
  starting_after: string | undefined;
  status: WebhookStatus | undefined;
}

export interface WebhookPage {
  deliveries: WebhookDelivery[];
  has_more: boolean;
}

export interface WebhookCounts {
  pending: number;
  dead: number;
  /** When the oldest pending event was recorded; null if there is none. */
  oldest_at: string | null;
}

/**
 * The part of the store that keeps events. They are recorded by `insert`, `update` and `amend`, in their commits, unless the
 * recording is `off`; this part can be read in any case.
 */
export interface EventStore {
  /**
   * Reads the feed. No event that is committed later gets a place before one that was read; undefined if `after` is a place that
   * this database has not reached, since it was restored.
   */
  readEvents(query: EventQuery): Promise<EventPage | undefined>;
  /** Deletes up to `limit` of the oldest events that were recorded before this time (ms since the epoch); returns how many. */
  deleteEvents(before: number, limit: number): Promise<number>;
  /**
   * Leases to the caller for `leaseMs` the deliveries that have been due the longest, in any order: of each payment none but that of
   * its first pending event.
   */
  claimWebhooks(limit: number, leaseMs: number): Promise<ClaimedWebhook[]>;
  /**
   * Records the ends of tries. One of a delivery that is not pending any more changes nothing, nor does a failed or released one
   * if another try has ended since the claim.
   */
  settleWebhooks(settlements: WebhookSettlement[]): Promise<void>;
  /** Newest first; undefined if there is no event `starting_after`. */
  listWebhooks(query: WebhookQuery): Promise<WebhookPage | undefined>;
  /**
   * Has the event be delivered again, from its first try on, and due now; undefined if there is no delivery of it. One that is
   * pending becomes due.
   */
  replayWebhook(eventId: string): Promise<WebhookDelivery | undefined>;
  /** As above for up to `limit` dead ones whose event was recorded at this time (ms since the epoch) or later; returns how many. */
  replayDeadWebhooks(since: number, limit: number): Promise<number>;
  countWebhooks(): Promise<WebhookCounts>;
}
