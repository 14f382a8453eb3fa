import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxSettings } from 'service-kit/contract/sandbox-settings.ts';
import { createDice } from 'service-kit/provider/sandbox/faults.ts';
import { defaultSandboxSettings } from 'service-kit/provider/sandbox/sandbox.ts';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { eventually } from './eventually.ts';
import { call } from './http.ts';
import type { ReplicaName, Trio } from './trio.ts';

export interface ChaosOptions {
  payments: number;
  kills: number;
  /** Payments under way at the same time. */
  width: number;
  seed: number;
  /** The replicas of payment-service. Each payment, and each try of it, goes to any of them. */
  paymentServices: readonly ReplicaName[];
  /** Happens once, when half of the payments are under way; meanwhile nothing is killed. */
  halfway?: () => Promise<void>;
}

/** What a run has shown. Of the payments answered 2xx all must be in every line down to "notified". */
export interface Figures {
  'answered 2xx': number;
  'of them in the store': number;
  'of them notified': number;
  'in the store in all': number;
  /** That the faults were met at all. */
  'with an attempt whose outcome nobody knew': number;
  'accepted more than once, without an unknown attempt on record': number;
  'accepted more than once, with one': number;
  'of them flagged as possible duplicates': number;
  'flagged, but accepted once': number;
  'kills survived': number;
}

const providerServices = ['aldeamo-service', 'twilio-service'] as const;

/**
 * Lets payments flow while faults of every kind come and go and services are killed, then heals all and counts: what the
 * clients were told, what the store says, and what the providers' own ledgers say.
 */
export async function runChaos(trio: Trio<ReplicaName>, options: ChaosOptions): Promise<Figures> {
  const { payments, kills, width, seed, paymentServices, halfway } = options;
  const roll = createDice(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(roll() * from.length)] as T;
  const answered = new Set<string>();
  let started = 0;
  let killed = 0;
  let flowing = true;
  /** One service is restarted at a time; the others' killers wait. */
  let killing: Promise<void> = Promise.resolve();
  const killable = [...paymentServices, ...providerServices];

  async function payOneAfterTheOther(): Promise<void> {
    while (started < payments) {
      started += 1;
      if (halfway && started === Math.ceil(payments / 2)) killing = killing.then(halfway);
      const anyUrl = () => trio.url(pick(paymentServices));
      answered.add(await payUntilAnswered(anyUrl, `chaos-${seed}-${started}`, roll() < 0.25));
      if (killed < kills && started >= ((killed + 0.5) * payments) / kills) {
        killed += 1;
        killing = killing.then(() => killAndRestart(pick(killable), roll() * 300));
      }
    }
  }

  async function killAndRestart(service: ReplicaName, downMs: number): Promise<void> {
    await trio.kill(service);
    await delay(downMs);
    await trio.start(service);
  }

  async function letFaultsComeAndGo(): Promise<void> {
    while (flowing) {
      await setSandbox(
        trio,
        pick(providerServices),
        roll() < 0.4 ? defaultSandboxSettings : rollFaults(roll),
      );
      await delay(100 + roll() * 400);
    }
  }

  const faults = letFaultsComeAndGo();
  await Promise.all(Array.from({ length: width }, payOneAfterTheOther));
  await killing;
  flowing = false;
  await faults;
  for (const service of providerServices) await setSandbox(trio, service, defaultSandboxSettings);

  const url = trio.url(paymentServices[0] ?? 'payment-service');
  await eventually(
    () => call<{ data: PaymentView[] }>('GET', `${url}/payments?notification_status=pending&limit=1`),
    ({ body }) => body.data.length === 0,
    120_000,
  );
  return { ...count(answered, await listAll(url), await readLedgers(trio)), 'kills survived': killed };
}

/** As a client with an Idempotency-Key does: again and again, until there is an answer. */
async function payUntilAnswered(anyUrl: () => string, key: string, respondAsync: boolean): Promise<string> {
  for (;;) {
    try {
      const { status, body } = await call<PaymentView>(
        'POST',
        `${anyUrl()}/payments`,
        { amount: 100, customer_id: key },
        { 'idempotency-key': key, ...(respondAsync && { prefer: 'respond-async' }) },
      );
      if (status < 300) return body.payment_id;
      if (status !== 409 && status !== 503) throw new Error(`${key} was answered ${status}`);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch's error for a connection that is refused or lost
    }
    await delay(50);
  }
}

function rollFaults(roll: () => number): Partial<SandboxSettings> {
  const rate = () => (roll() < 0.4 ? roll() * 0.15 : 0);
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
  };
}

/** A sandbox that is dead just now has no faults to be set. */
async function setSandbox(
  trio: Trio<ReplicaName>,
  service: ReplicaName,
  settings: Partial<SandboxSettings>,
): Promise<void> {
  const { latency_ms: _, ...changes } = settings;
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

/** How often the providers accepted each payment's SMS. A key is the payment's id and the number of the attempt. */
async function readLedgers(trio: Trio<ReplicaName>): Promise<Map<string, number>> {
  const accepted = new Map<string, number>();
  for (const service of providerServices) {
    const { body } = await call<{ data: { idempotency_key: string }[] }>(
      'GET',
      `${trio.url(service)}/sandbox/messages`,
    );
    for (const { idempotency_key } of body.data) {
      const paymentId = idempotency_key.replace(/-\d+$/, '');
      accepted.set(paymentId, (accepted.get(paymentId) ?? 0) + 1);
    }
  }
  return accepted;
}

function count(answered: Set<string>, kept: PaymentView[], accepted: Map<string, number>) {
  const times = ({ payment_id }: PaymentView) => accepted.get(payment_id) ?? 0;
  // One that was found to be taken after all has a reason, too: that nobody knew.
  const isUnknown = ({ notification }: PaymentView) =>
    notification.attempts.some(
      ({ outcome, reason }) => outcome === 'unknown' || (outcome === 'accepted' && reason !== null),
    );
  const answeredAndKept = kept.filter(({ payment_id }) => answered.has(payment_id));
  const twice = kept.filter((payment) => times(payment) > 1);
  return {
    'answered 2xx': answered.size,
    'of them in the store': answeredAndKept.length,
    'of them notified': answeredAndKept.filter(
      (payment) => payment.notification_status === 'sent' && times(payment) > 0,
    ).length,
    'in the store in all': kept.length,
    'with an attempt whose outcome nobody knew': kept.filter(isUnknown).length,
    'accepted more than once, without an unknown attempt on record': twice.filter(
      (payment) => !isUnknown(payment),
    ).length,
    'accepted more than once, with one': twice.filter(isUnknown).length,
    'of them flagged as possible duplicates': twice.filter(
      (payment) => isUnknown(payment) && payment.possible_duplicate,
    ).length,
    'flagged, but accepted once': kept.filter((payment) => payment.possible_duplicate && times(payment) === 1)
      .length,
  };
}
