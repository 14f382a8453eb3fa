import type { NotifyRequest, Outcome } from '../contract/notification.ts';

/** What a send is about. The key is the caller's, if it gave one: the same key is the same send. */
export type Send = NotifyRequest & { idempotency_key: string | null };

/** Speaks a provider's own API (`live`) or imitates it (`sandbox`). */
export interface Gateway {
  /** Sends one SMS. Whatever happens is an outcome; it never rejects. */
  send(send: Send): Promise<Outcome>;
  /** Whether the provider's API is well, found without sending anything. It never rejects. */
  check(): Promise<boolean>;
  close?(): Promise<void>;
}

/** Refused without a call: there is nobody to send it to. That says nothing about the provider, which was not asked. */
export const phoneUnknown = {
  outcome: 'rejected',
  reason: 'phone_unknown',
  no_outage: true,
} satisfies Outcome;

/**
 * The deadline of a live gateway's own calls. It passes a little before the service's answer is due, as the gateway knows
 * what the service's own timeout can not tell: whether the request was written.
 */
export const callTimeoutMs = (gatewayTimeoutMs: number) => Math.ceil(gatewayTimeoutMs * 0.95);
