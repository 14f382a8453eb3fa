import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ReceiptStatus } from 'service-kit/contract/notification.ts';
import type { SandboxSettings } from 'service-kit/contract/sandbox-settings.ts';
import { createDice } from 'service-kit/provider/sandbox/faults.ts';
import { defaultSandboxSettings } from 'service-kit/provider/sandbox/sandbox.ts';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import {
  countEvents,
  deliverTheRest,
  followFeed,
  readFeed,
  resumeWebhooks,
  rollAnswering,
} from './chaos-events.ts';
import type { Merchant } from './doubles/merchant.ts';
import { eventually } from './eventually.ts';
import { call } from './http.ts';
import type { ReplicaName, Trio } from './trio.ts';

/** Happens so many times during a run, one at a time, while payments are made. */
export interface Incident {
  times: number;
  happen: (random: Random) => Promise<void>;
}

interface Random {
  /** A number from 0 to 1. */
  roll(): number;
  pick<T>(from: readonly T[]): T;
}

export interface ChaosOptions {
  payments: number;
  /** By what they are called in the figures. */
  incidents: Record<string, Incident>;
  /** Concurrent payments. */
  width: number;
  seed: number;
  /** The replicas of payment-service. Each request goes to a random one. */
  paymentServices: readonly ReplicaName[];
  /** Its endpoint fails in every way while payments are made. */
  merchant: Merchant;
}

/** The result of a run. The first three must be equal: each payment that was answered 2xx is stored and has come to its end. */
export type Figures = Record<string, number> & {
  'answered 2xx': number;
  'of them in the store': number;
  'of them delivered or failed': number;
  'of them delivered': number;
  'in the store in all': number;
  /** Above 0, as the next ones, otherwise the faults have met no payment. */
  'with an attempt whose outcome was unknown': number;
  'with an SMS that did not arrive': number;
  'delivered by the other provider after one that did not arrive': number;
  'accepted more than once': number;
  'accepted more than once, without a reason on record': number;
  'may arrive twice, and not flagged': number;
  'flagged as possible duplicates': number;
  'delivered by a ledger, and not on record': number;
  /** The receipt that says so was lost with its sandbox, or by its faults, and that of another SMS, or an earlier one, ended it. */
  'delivered by a ledger, and failed by a receipt': number;
  'delivered on record, and by no ledger': number;
  'replays that differ from the first answer': number;
};

export const providerServices = ['aldeamo-service', 'twilio-service'] as const;

/** The first 2xx to a request with an Idempotency-Key. */
interface First {
  key: string;
  status: number;
  body: PaymentView;
}

/**
 * Makes payments while faults of every kind come and go and incidents happen. Then resets the faults, and counts what the
 * clients received, what a replay of each key returns, what is in the store, and what is in the providers' own ledgers.
 */
export async function runChaos(trio: Trio<ReplicaName>, options: ChaosOptions): Promise<Figures> {
  const { payments, incidents, width, seed, paymentServices, merchant } = options;
  const roll = createDice(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(roll() * from.length)] as T;
  const anyUrl = () => trio.url(pick(paymentServices));
  const answers: First[] = [];
  const happened = new Map(Object.keys(incidents).map((name) => [name, 0]));
  let started = 0;
  let flowing = true;
  /** Serializes the incidents, so that one service at a time is down. */
  let incident: Promise<void> = Promise.resolve();

  async function payInSequence(): Promise<void> {
    while (started < payments) {
      started += 1;
      const key = `chaos-${seed}-${started}`;
      answers.push({ key, ...(await payUntilAnswered(anyUrl, key, roll() < 0.25)) });
      for (const [name, { times, happen }] of Object.entries(incidents)) {
        const count = happened.get(name) ?? 0;
        if (count >= times || started < ((count + 0.5) * payments) / times) continue;
        happened.set(name, count + 1);
        incident = incident.then(() => happen({ roll, pick }));
      }
    }
  }

  async function varyFaults(): Promise<void> {
    while (flowing) {
      await delay(100 + roll() * 400);
      await setSandbox(
        trio,
        pick(providerServices),
        roll() < 0.4 ? defaultSandboxSettings : rollFaults(roll),
      );
    }
  }

  // So that the first payments meet a fault: the later ones of a short run may all find an open circuit, and call no provider.
  await setSandbox(trio, 'aldeamo-service', { ...defaultSandboxSettings, cut_after_rate: 0.5 });
  merchant.answering = () => rollAnswering(roll);
  const feed = followFeed(anyUrl);
  const faults = varyFaults();
  await Promise.all(Array.from({ length: width }, payInSequence));
  await incident;
  flowing = false;
  await faults;
  for (const service of providerServices) await setSandbox(trio, service, defaultSandboxSettings);
  merchant.answering = () => 'well';

  const url = trio.url(paymentServices[0] ?? 'payment-service');
  for (const status of ['pending', 'sent', 'pending'])
    await eventually(
      () => call<{ data: PaymentView[] }>('GET', `${url}/payments?notification_status=${status}&limit=1`),
      ({ body }) => body.data.length === 0,
      120_000,
    );
  for (const service of paymentServices) await resumeWebhooks(trio.url(service));
  await deliverTheRest(url);
  const stored = await listAll(url);
  const answered = new Set(answers.map(({ body }) => body.payment_id));
  return {
    ...count(answered, stored, await readLedgers(trio)),
    ...countEvents(merchant, await readFeed(url), await feed.stop(), stored),
    'replays that differ from the first answer': await countOtherReplays(answers, anyUrl),
    ...Object.fromEntries(happened),
  };
}

/** Repeats each request. The first answer may have been a 202, and a replay of it is one, too. */
async function countOtherReplays(answers: First[], anyUrl: () => string): Promise<number> {
  let differing = 0;
  for (const { key, status, body } of answers) {
    const replay = await call('POST', `${anyUrl()}/payments`, bodyOf(key), { 'idempotency-key': key });
    if (!isDeepStrictEqual({ status: replay.status, body: replay.body }, { status, body })) differing += 1;
  }
  return differing;
}

const bodyOf = (key: string) => ({ amount: 100, customer_id: key });

/** Retries with one Idempotency-Key until a 2xx, as a client does. */
async function payUntilAnswered(
  anyUrl: () => string,
  key: string,
  respondAsync: boolean,
): Promise<{ status: number; body: PaymentView }> {
  for (;;) {
    try {
      const { status, body } = await call<PaymentView>('POST', `${anyUrl()}/payments`, bodyOf(key), {
        'idempotency-key': key,
        ...(respondAsync && { prefer: 'respond-async' }),
      });
      if (status < 300) return { status, body };
      if (status !== 409 && status !== 503) throw new Error(`${key} was answered ${status}`);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch throws it for a refused or lost connection
    }
    await delay(50);
  }
}

function rollFaults(roll: () => number): Partial<SandboxSettings> {
  const rate = () => (roll() < 0.4 ? roll() * 0.15 : 0);
  const rateOfEnds = () => (roll() < 0.4 ? roll() * 0.2 : 0);
  return {
    seed: Math.floor(roll() * 2 ** 32),
    failure_rate: roll() < 0.3 ? roll() : 0,
    slow_rate: rate(),
    slow_ms: 200,
    hang_rate: rate(),
    cut_before_rate: rate(),
    cut_after_rate: rate(),
    late_rate: rate(),
    late_ms: 1000,
    throttle_rate: rate(),
    garbage_rate: rate(),
    undelivered_rate: rateOfEnds(),
    not_sent_rate: rateOfEnds(),
    filtered_rate: rateOfEnds() / 4,
    refused_rate: rateOfEnds() / 4,
    receipt_lost_rate: rateOfEnds(),
    receipt_late_rate: rateOfEnds(),
    receipt_late_ms: 1500,
    receipt_twice_rate: rateOfEnds(),
    receipt_contradicting_rate: rateOfEnds(),
  };
}

/** Ignores a failed request, because the service may be down. */
async function setSandbox(
  trio: Trio<ReplicaName>,
  service: ReplicaName,
  settings: Partial<SandboxSettings>,
): Promise<void> {
  const { latency_ms: _, delivery_ms: _deliveryMs, ...changes } = settings;
  await call('POST', `${trio.url(service)}/sandbox`, changes).catch(() => {});
}

async function listAll(url: string): Promise<PaymentView[]> {
  const all: PaymentView[] = [];
  for (let query = 'limit=100'; ; ) {
    const { body } = await call<{ data: PaymentView[]; has_more: boolean }>(
      'GET',
      `${url}/payments?${query}`,
    );
    all.push(...body.data);
    if (!body.has_more) return all;
    query = `limit=100&starting_after=${body.data.at(-1)?.payment_id}`;
  }
}

/** What the ledgers of the providers say of each SMS of a payment. */
type Ledger = Map<string, (ReceiptStatus | undefined)[]>;

/** A key is the payment's id and the number of the attempt. */
async function readLedgers(trio: Trio<ReplicaName>): Promise<Ledger> {
  const ledger: Ledger = new Map();
  for (const service of providerServices) {
    const { body } = await call<{
      data: { idempotency_key: string; delivery: { status: ReceiptStatus } | null }[];
    }>('GET', `${trio.url(service)}/sandbox/messages`);
    for (const { idempotency_key, delivery } of body.data)
      ledger.getOrInsertComputed(idempotency_key.replace(/-\d+$/, ''), () => []).push(delivery?.status);
  }
  return ledger;
}

function count(answered: Set<string>, stored: PaymentView[], ledger: Ledger) {
  const sms = ({ payment_id }: PaymentView) => ledger.get(payment_id) ?? [];
  const isDeliveredByLedger = (payment: PaymentView) => sms(payment).includes('delivered');
  const mayArrive = (payment: PaymentView) =>
    sms(payment).filter((status) => status === 'delivered' || status === 'undelivered').length;
  const isDelivered = ({ notification_status }: PaymentView) => notification_status === 'delivered';
  // An unknown attempt that was later found to be accepted has kept its reason.
  const isUnknown = ({ notification }: PaymentView) =>
    notification.attempts.some(
      ({ outcome, reason }) => outcome === 'unknown' || (outcome === 'accepted' && reason !== null),
    );
  const hasNotArrived = ({ notification }: PaymentView) =>
    notification.attempts.some(({ deliveries }) => deliveries.some(({ status }) => status !== 'delivered'));
  const isFailedByReceipt = ({ notification_status, notification }: PaymentView) =>
    notification_status === 'failed' && notification.attempts.some(({ delivery }) => delivery !== null);
  const isFailover = (payment: PaymentView) =>
    new Set(payment.notification.attempts.flatMap(({ delivery, provider }) => (delivery ? [provider] : [])))
      .size > 1;
  const answeredAndStored = stored.filter(({ payment_id }) => answered.has(payment_id));
  const twice = stored.filter((payment) => sms(payment).length > 1);
  return {
    'answered 2xx': answered.size,
    'of them in the store': answeredAndStored.length,
    'of them delivered or failed': answeredAndStored.filter(
      (payment) => isDelivered(payment) || payment.notification_status === 'failed',
    ).length,
    'of them delivered': answeredAndStored.filter(isDelivered).length,
    'in the store in all': stored.length,
    'with an attempt whose outcome was unknown': stored.filter(isUnknown).length,
    'with an SMS that did not arrive': stored.filter(hasNotArrived).length,
    'delivered by the other provider after one that did not arrive': stored.filter(
      (payment) => isDelivered(payment) && isFailover(payment),
    ).length,
    'accepted more than once': twice.length,
    'accepted more than once, without a reason on record': twice.filter(
      (payment) => !isUnknown(payment) && !hasNotArrived(payment),
    ).length,
    'may arrive twice, and not flagged': stored.filter(
      (payment) => mayArrive(payment) > 1 && !payment.possible_duplicate,
    ).length,
    'flagged as possible duplicates': stored.filter(({ possible_duplicate }) => possible_duplicate).length,
    'delivered by a ledger, and not on record': stored.filter(
      (payment) => isDeliveredByLedger(payment) && !isDelivered(payment) && !isFailedByReceipt(payment),
    ).length,
    'delivered by a ledger, and failed by a receipt': stored.filter(
      (payment) => isDeliveredByLedger(payment) && isFailedByReceipt(payment),
    ).length,
    'delivered on record, and by no ledger': stored.filter(
      (payment) => isDelivered(payment) && !isDeliveredByLedger(payment),
    ).length,
  };
}
