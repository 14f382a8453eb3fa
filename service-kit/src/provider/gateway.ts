import type { FastifyBaseLogger } from 'fastify';
import type { HttpClientOptions } from '../client/http-client.ts';
import type { NotifyRequest, Outcome } from '../contract/notification.ts';

/** The same key is the same send. */
export type Send = NotifyRequest & { idempotency_key: string | null };

/** Speaks a provider's own API (`live`) or imitates it (`sandbox`). */
export interface Gateway {
  /** Sends one SMS. Every failure is an outcome; it never rejects. */
  send(send: Send): Promise<Outcome>;
  /** Whether the provider's API is healthy, found without sending anything. It never rejects. */
  check(): Promise<boolean>;
  close?(): Promise<void>;
}

export interface LiveGatewayOptions extends HttpClientOptions {
  log: FastifyBaseLogger;
}

/** Rejected without a call, so it says nothing about the provider. */
export const phoneUnknown = {
  outcome: 'rejected',
  reason: 'phone_unknown',
  no_outage: true,
} satisfies Outcome;
