import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome, Provider } from '../../contract/notification.ts';
import type { SandboxSettings } from '../../contract/sandbox-settings.ts';
import type { Gateway } from '../gateway.ts';
import { createDice, type Fault, faultOf } from './faults.ts';
import { openLedger, type SandboxMessage } from './ledger.ts';

/** Without faults. */
export const defaultSandboxSettings: SandboxSettings = {
  latency_ms: 0,
  failure_rate: 0,
  slow_rate: 0,
  slow_ms: 1000,
  hang_rate: 0,
  cut_before_rate: 0,
  cut_after_rate: 0,
  late_rate: 0,
  late_ms: 10_000,
  throttle_rate: 0,
  retry_after_s: 1,
  garbage_rate: 0,
  seed: 1,
};

/** No sign of an outage: the other provider is live, and an SMS that nothing sends must not count as sent. */
const besideLive = { outcome: 'not_sent', reason: 'sandbox_beside_live', no_outage: true } satisfies Outcome;

/** A gateway that sends nothing, fails as its settings demand, and has a ledger of what it accepted. */
export interface Sandbox extends Gateway {
  readonly settings: Readonly<SandboxSettings>;
  set(changes: Partial<SandboxSettings>): void;
  readonly messages: readonly SandboxMessage[];
  /** Draws the fault of the next request. */
  nextFault(): Fault | undefined;
}

export interface SandboxOptions {
  provider: Provider;
  settings?: Partial<SandboxSettings>;
  /** Where the ledger is stored. Default: in memory only. */
  ledgerFile?: string | undefined;
}

export function createSandbox({ provider, settings: initial, ledgerFile }: SandboxOptions): Sandbox {
  const ledger = openLedger(ledgerFile);
  let settings = { ...defaultSandboxSettings, ...initial };
  let roll = createDice(settings.seed);
  const succeeds = async () => {
    const fails = roll() < settings.failure_rate;
    if (settings.latency_ms > 0) await delay(settings.latency_ms);
    return !fails;
  };

  return {
    get settings() {
      return settings;
    },
    set(changes) {
      settings = { ...settings, ...changes };
      if (changes.seed !== undefined) roll = createDice(changes.seed);
    },
    get messages() {
      return ledger.messages;
    },
    nextFault: () => faultOf(settings, roll()),
    async send({ customer_id, idempotency_key, live_only }) {
      if (live_only) return besideLive;
      if (!(await succeeds())) return { outcome: 'not_sent', reason: 'sandbox_failure' };
      const message_id = `${provider.toLowerCase()}-${randomUUID()}`;
      ledger.add({ message_id, customer_id, idempotency_key, accepted_at: new Date().toISOString() });
      return { outcome: 'accepted', message_id };
    },
    check: async () =>
      (await succeeds()) ? { state: 'healthy' } : { state: 'unhealthy', reason: 'sandbox_failure' },
  };
}
