import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Provider } from '../../contract/notification.ts';
import {
  createDice,
  type Fault,
  faultOf,
  type SandboxSettings,
  wellBehaved,
} from '../../contract/sandbox-settings.ts';
import type { Gateway } from '../gateway.ts';
import { openLedger, type SandboxMessage } from './ledger.ts';

/** A gateway that sends nothing, misbehaves on demand, and remembers what it accepted. */
export interface Sandbox extends Gateway {
  readonly settings: Readonly<SandboxSettings>;
  set(changes: Partial<SandboxSettings>): void;
  readonly messages: readonly SandboxMessage[];
  /** Rolls the dice for a request that comes in. */
  nextFault(): Fault | undefined;
}

export interface SandboxOptions {
  provider: Provider;
  settings?: Partial<SandboxSettings>;
  /** Where the ledger is kept; only in memory if not given. */
  ledgerFile?: string | undefined;
}

export function createSandbox({ provider, settings: initial, ledgerFile }: SandboxOptions): Sandbox {
  const ledger = openLedger(ledgerFile);
  let settings = { ...wellBehaved, ...initial };
  let roll = createDice(settings.seed);
  const isWell = async () => {
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
    async send({ customer_id, idempotency_key }) {
      if (!(await isWell())) return { outcome: 'not_sent', reason: 'sandbox_failure' };
      const message_id = `${provider.toLowerCase()}-${randomUUID()}`;
      ledger.add({ message_id, customer_id, idempotency_key, accepted_at: new Date().toISOString() });
      return { outcome: 'accepted', message_id };
    },
    check: isWell,
  };
}
