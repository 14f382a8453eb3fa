import { hash } from 'node:crypto';
import type { Outcome } from '../../contract/notification.ts';
import type { Send } from '../gateway.ts';

/** Makes a repeated send harmless: the outcome of each key's first send, for `lifetimeMs`. */
export interface IdempotencyStore {
  /**
   * Sends, unless the key is known: then the first outcome is returned, and a send that still runs is joined.
   *
   * @throws Problem (422) if the key came with another body before
   */
  send(send: Send): Promise<Outcome>;
  /**
   * Cancels the send with this key, so that it is not sent should it still come. Returns undefined if that succeeded, and
   * the outcome of the send if it came before.
   */
  cancel(key: string): Promise<Outcome | undefined> | undefined;
  /** Every key that came within this time, in ms, is known. A duration, so that clocks of two hosts are never compared. */
  completeForMs(): number | Promise<number>;
  /** Rejects while no key can be recorded, and so nothing sent. Default: always ready. */
  ready?(): Promise<void>;
  close?(): Promise<void>;
}

export const lifetimeMs = 24 * 60 * 60 * 1000;

/** A send older than this, whose deadline is `timeoutMs`, belongs to a dead replica; its outcome is lost. */
export const staleMs = (timeoutMs: number): number => Math.max(60_000, 4 * timeoutMs);

/** The outcome of a send that was cancelled before it came. */
export const withdrawn = { outcome: 'not_sent', reason: 'withdrawn', no_outage: true } satisfies Outcome;

/** Stored in place of the body, so that neither a text nor a phone is kept for a day. */
export function digestOf({ customer_id, phone, message }: Send): string {
  return hash('sha256', JSON.stringify([customer_id, phone, message]), 'base64');
}
