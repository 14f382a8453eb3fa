import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome, Provider, ReceiptStatus, ReceiptWay } from '../../contract/notification.ts';
import type { SandboxSettings } from '../../contract/sandbox-settings.ts';
import type { Gateway, Send } from '../gateway.ts';
import type { ReceiptPush } from '../receipts/receipt-push.ts';
import { drawFate } from './fate.ts';
import { createDice, type Fault, faultOf } from './faults.ts';
import { openLedger, type SandboxMessage } from './ledger.ts';

/** Without faults, and without receipts. */
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
  delivery_ms: null,
  undelivered_rate: 0,
  not_sent_rate: 0,
  filtered_rate: 0,
  refused_rate: 0,
  receipt_late_rate: 0,
  receipt_late_ms: 10_000,
  receipt_twice_rate: 0,
  receipt_contradicting_rate: 0,
  receipt_lost_rate: 0,
  seed: 1,
};

/** No sign of an outage: the other provider is live, and an SMS that nothing sends must not count as sent. */
const besideLive = { outcome: 'not_sent', reason: 'sandbox_beside_live', no_outage: true } satisfies Outcome;

/** A gateway that sends nothing, fails as its settings demand, and has a ledger of what it accepted. */
export interface Sandbox extends Gateway {
  readonly settings: Readonly<SandboxSettings>;
  set(changes: Partial<SandboxSettings>): void;
  /** The accepted messages, in order, with what has become of them by now. */
  readonly messages: readonly Required<SandboxMessage>[];
  /** Draws the fault of the next request. */
  nextFault(): Fault | undefined;
}

export interface SandboxOptions {
  provider: Provider;
  settings?: Partial<SandboxSettings>;
  /** Where the ledger is stored. Default: in memory only. */
  ledgerFile?: string | undefined;
  /** Sends the receipts. Default: they are learned only by asking. It is closed with the sandbox. */
  push?: ReceiptPush | undefined;
}

export function createSandbox({ provider, push, ...options }: SandboxOptions): Sandbox {
  const ledger = openLedger(options.ledgerFile);
  let settings = { ...defaultSandboxSettings, ...options.settings };
  let roll = createDice(settings.seed);
  let rollFate = createFateDice(settings.seed);
  const succeeds = async () => {
    const fails = roll() < settings.failure_rate;
    if (settings.latency_ms > 0) await delay(settings.latency_ms);
    return !fails;
  };

  /** Decides at once what becomes of the SMS, so that the ledger has it in the message's own line. */
  function accept({ customer_id, idempotency_key }: Send): string {
    const message_id = `${provider.toLowerCase()}-${randomUUID()}`;
    const now = Date.now();
    const message = { message_id, customer_id, idempotency_key, accepted_at: new Date(now).toISOString() };
    const { delivery_ms } = settings;
    if (delivery_ms === null) {
      ledger.add({ ...message, delivery: null });
      return message_id;
    }
    const { status, receipts, lateMs } = drawFate(settings, rollFate);
    const at = new Date(now + delivery_ms).toISOString();
    ledger.add({ ...message, delivery: { status, at } });
    if (idempotency_key !== null)
      push?.push(
        receipts.map((of) => ({
          provider,
          message_id,
          idempotency_key,
          status: of,
          reason: reasonOf(of),
          at,
        })),
        delivery_ms + lateMs,
      );
    return message_id;
  }

  return {
    get settings() {
      return settings;
    },
    set(changes) {
      settings = { ...settings, ...changes };
      if (changes.seed === undefined) return;
      roll = createDice(changes.seed);
      rollFate = createFateDice(changes.seed);
    },
    get messages() {
      return ledger.messages.map((message) => ({ ...message, delivery: deliveryOf(message) }));
    },
    get receipts() {
      return settings.delivery_ms === null ? [] : ways;
    },
    nextFault: () => faultOf(settings, roll()),
    async send(send) {
      if (send.live_only) return besideLive;
      if (!(await succeeds())) return { outcome: 'not_sent', reason: 'sandbox_failure' };
      return { outcome: 'accepted', message_id: accept(send) };
    },
    async find(messageId) {
      const message = ledger.find(messageId);
      if (!message) return { found: 'unknown_message' };
      const delivery = deliveryOf(message);
      if (!delivery) return { found: 'report', status: null, reason: null };
      return { found: 'report', ...delivery, reason: reasonOf(delivery.status) };
    },
    check: async () =>
      (await succeeds()) ? { state: 'healthy' } : { state: 'unhealthy', reason: 'sandbox_failure' },
    close: async () => push?.close(),
  };
}

const ways = ['push', 'pull'] as const satisfies ReceiptWay[];

/** Dice of their own, so that deliveries change no sequence of failures and faults. */
const createFateDice = (seed: number) => createDice(~seed);

const reasonOf = (status: ReceiptStatus) => (status === 'delivered' ? null : `sandbox_${status}`);

/** What has become of a message by now; null while that lies ahead. */
const deliveryOf = ({ delivery }: SandboxMessage) =>
  delivery && Date.parse(delivery.at) <= Date.now() ? delivery : null;
