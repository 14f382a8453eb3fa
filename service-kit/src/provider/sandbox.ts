import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Provider } from '../notification.ts';
import type { Gateway } from './gateway.ts';

export interface SandboxMessage {
  message_id: string;
  customer_id: string;
  idempotency_key: string | null;
  accepted_at: string;
}

/** A gateway that sends nothing, fails on demand, and remembers what it accepted. */
export interface Sandbox extends Gateway {
  failureRate: number;
  /** What was accepted, in order. The oldest are forgotten when there are more than `ledgerSize`. */
  readonly messages: readonly SandboxMessage[];
}

export interface SandboxOptions {
  provider: Provider;
  latencyMs: number;
  /** The share of sends and checks that fail, 0 to 1. */
  failureRate: number;
  /** From 0 to below 1. */
  random?: () => number;
}

export const ledgerSize = 100_000;

export function createSandbox({
  provider,
  latencyMs,
  failureRate,
  random = Math.random,
}: SandboxOptions): Sandbox {
  const messages: SandboxMessage[] = [];
  const isWell = async () => {
    if (latencyMs > 0) await delay(latencyMs);
    return random() >= sandbox.failureRate;
  };

  const sandbox: Sandbox = {
    failureRate,
    messages,
    check: isWell,
    async send({ customer_id, idempotency_key }) {
      if (!(await isWell())) return { outcome: 'not_sent', reason: 'sandbox_failure' };
      const message_id = `${provider.toLowerCase()}-${randomUUID()}`;
      messages.push({ message_id, customer_id, idempotency_key, accepted_at: new Date().toISOString() });
      if (messages.length > ledgerSize) messages.shift();
      return { outcome: 'accepted', message_id };
    },
  };
  return sandbox;
}
