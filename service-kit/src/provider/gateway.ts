import type { HttpClientOptions } from '../client/http-client.ts';
import type { NotifyRequest, Outcome } from '../contract/notification.ts';
import type { Account, Check } from './account.ts';

/** The same key is the same send. */
export type Send = NotifyRequest & { idempotency_key: string | null };

/** Speaks a provider's own API (`live`) or imitates it (`sandbox`). */
export interface Gateway {
  /** Sends one SMS. Every failure is an outcome; it never rejects. */
  send(send: Send): Promise<Outcome>;
  /** Whether the provider's API is healthy, found without sending anything. It never rejects. */
  check(): Promise<Check>;
  close?(): Promise<void>;
}

export interface LiveGatewayOptions extends HttpClientOptions {
  /** Learns from each send. */
  account: Account;
}

/** Rejected without a call, so it says nothing about the provider. */
export const phoneUnknown = {
  outcome: 'rejected',
  reason: 'phone_unknown',
  no_outage: true,
} satisfies Outcome;
