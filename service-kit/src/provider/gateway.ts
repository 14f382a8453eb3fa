import type { HttpClientOptions } from '../client/http-client.ts';
import type { MessageReport, NotifyRequest, Outcome, ReceiptWay } from '../contract/notification.ts';
import type { Account, Check } from './account.ts';

/** The same key is the same send. */
export type Send = NotifyRequest & { idempotency_key: string | null };

/** The provider's answer to the question what became of an SMS. */
export type Found =
  | ({ found: 'report' } & Omit<MessageReport, 'provider' | 'message_id'>)
  /** The provider has no such message. */
  | { found: 'unknown_message' }
  /** The provider answers no question of this kind, whatever the message, until a person corrects the account or its rights. */
  | { found: 'forbidden'; reason: string }
  | { found: 'unanswered'; reason: string };

/** Speaks a provider's own API (`live`) or imitates it (`sandbox`). */
export interface Gateway {
  /** Sends one SMS. Every failure is an outcome; it never rejects. */
  send(send: Send): Promise<Outcome>;
  /** Whether the provider's API is healthy, found without sending anything. It never rejects. */
  check(): Promise<Check>;
  /** How what became of an accepted SMS is learned; not at all if it is empty. `pull` needs `find`. */
  readonly receipts: readonly ReceiptWay[];
  /** Asks the provider what became of an SMS that it accepted. Every failure is an answer; it never rejects. */
  find?(messageId: string): Promise<Found>;
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
