import type { NotifyRequest, Outcome } from '../notification.ts';

/** What a send is about. The key is the caller's, if it gave one: the same key is the same send. */
export type Send = NotifyRequest & { idempotency_key: string | null };

/** Speaks a provider's own API (`live`) or imitates it (`sandbox`). */
export interface Gateway {
  /** Sends one SMS. Whatever happens is an outcome; it never rejects. */
  send(send: Send): Promise<Outcome>;
  /** Whether the provider's API is well, found without sending anything. It never rejects. */
  check(): Promise<boolean>;
}
