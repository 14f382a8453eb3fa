import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import type { CircuitReport } from '../payment-service/src/providers/circuit-report.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { startTrio } from './start-trio.ts';
import type { Trio } from './trio.ts';

const timeoutMs = 1000;
const resetTimeoutMs = 1200;

let trio: Trio;
let payments: string;
beforeAll(async () => {
  trio = await startTrio({
    PROVIDER_TIMEOUT_MS: String(timeoutMs),
    GATEWAY_TIMEOUT_MS: '800',
    CIRCUIT_RESET_TIMEOUT_MS: String(resetTimeoutMs),
    NOTIFICATION_RETRY_BASE_MS: '500',
    NOTIFICATION_LEASE_MS: '2500',
  });
  payments = trio.url('payment-service');
});
afterAll(() => trio[Symbol.asyncDispose]());

const failAldeamo = (rate: number) =>
  call('POST', `${trio.url('aldeamo-service')}/toggle-failure?failure_rate=${rate}`);
const health = async () =>
  (
    await call<{
      status: string;
      current_notification_service: string;
      circuits: { Aldeamo: CircuitReport };
    }>('GET', `${payments}/health`)
  ).body;
const requestsOfAldeamo = async () =>
  (await call<{ requests: number }>('GET', `${trio.url('aldeamo-service')}/health`)).body.requests;
const attemptsOf = ({ notification }: PaymentView) =>
  notification.attempts.map(({ provider, outcome, reason }) => [provider, outcome, reason]);
const untilClosed = (withinMs: number) =>
  eventually(health, ({ circuits }) => circuits.Aldeamo.state === 'closed', withinMs);

/** Pays `count` times, `width` at a time. */
async function payMany(count: number, width: number): Promise<PaymentView[]> {
  const made: PaymentView[] = [];
  const one = async (lane: number) => {
    for (let n = lane; n < count; n += width) {
      const { status, body } = await pay(payments, { customer_id: `many-${n}` });
      expect(status).toBe(201);
      made.push(body);
    }
  };
  await Promise.all(Array.from({ length: width }, (_, lane) => one(lane)));
  return made;
}

beforeEach(async () => {
  await failAldeamo(0);
  await untilClosed(resetTimeoutMs + 2000);
});

describe('payment-service, given a failing Aldeamo,', () => {
  test('sends 50 payments, 10 at a time, by Twilio, and calls Aldeamo no more once the circuit is open', async () => {
    await failAldeamo(1);

    const made = await payMany(50, 10);

    const { body: ledger } = await call<{ data: { message_id: string; idempotency_key: string }[] }>(
      'GET',
      `${trio.url('twilio-service')}/sandbox/messages`,
    );
    for (const payment of made) {
      expect(payment).toMatchObject({ notification_service: 'Twilio', notification_status: 'sent' });
      // The payment's record matches the provider's own ledger.
      const accepted = ledger.data.filter(({ idempotency_key }) =>
        idempotency_key.startsWith(payment.payment_id),
      );
      expect(accepted.map(({ message_id }) => message_id)).toEqual([
        payment.notification.attempts.at(-1)?.message_id,
      ]);
    }
    // No probe is near, which the next payment could be: the payments take as long on a slow machine.
    const open = await eventually(
      health,
      ({
        circuits: {
          Aldeamo: { state, next_probe_at },
        },
      }) => state === 'open' && Date.parse(next_probe_at ?? '') - Date.now() > resetTimeoutMs / 2,
      2 * resetTimeoutMs,
    );
    expect(open).toMatchObject({ status: 'degraded', current_notification_service: 'Twilio' });

    const before = await requestsOfAldeamo();
    const [next] = await payMany(1, 1);
    expect(next && attemptsOf(next)).toEqual([
      ['Aldeamo', 'not_sent', 'circuit_open'],
      ['Twilio', 'accepted', null],
    ]);
    expect(await requestsOfAldeamo()).toBe(before);
  });

  test('keeps the circuit open for the same reason while probes fail, and closes it without a payment once a probe succeeds', async () => {
    await failAldeamo(1);
    await payMany(3, 1);
    const opened = (await health()).circuits.Aldeamo;
    const seen = { states: new Set<string>(), openings: new Set<string>(), statuses: new Set<string>() };
    const probes = 3;
    const end = performance.now() + probes * resetTimeoutMs;
    await eventually(
      async () => {
        const { status, circuits } = await health();
        const { state, since, reason } = circuits.Aldeamo;
        seen.states.add(state);
        seen.openings.add(`${since} ${reason}`);
        seen.statuses.add(status);
      },
      () => performance.now() > end,
      2 * probes * resetTimeoutMs,
    );
    expect([...seen.states]).not.toContain('closed');
    expect([...seen.openings]).toEqual([`${opened.since} ${opened.reason}`]);
    expect([...seen.statuses]).toEqual(['degraded']);
    expect((await health()).circuits.Aldeamo.last_check?.reason).toBe(
      'the background check failed: sandbox_failure',
    );

    await failAldeamo(0);
    await untilClosed(resetTimeoutMs + 2000);
    expect(await health()).toMatchObject({ status: 'healthy', circuits: { Aldeamo: { last_check: null } } });
    const [next] = await payMany(1, 1);
    expect(next?.notification_service).toBe('Aldeamo');
  });

  test('closes the circuit on request only if Aldeamo is healthy', async () => {
    await failAldeamo(1);
    await payMany(3, 1);
    expect((await call('POST', `${payments}/force-recovery`)).status).toBe(503);
    expect((await health()).circuits.Aldeamo.state).not.toBe('closed');

    await failAldeamo(0);
    expect((await call('POST', `${payments}/reset-circuit`)).status).toBe(200);
    expect((await health()).circuits.Aldeamo.state).toBe('closed');
  });
});

test('given an Aldeamo that never answers, payment-service waits one deadline per payment until the circuit opens, then none', async () => {
  await trio.freeze('aldeamo-service');
  try {
    for (let n = 0; n < 3; n += 1) {
      const [payment] = await payMany(1, 1);
      expect(payment && attemptsOf(payment)).toEqual([
        ['Aldeamo', 'unknown', 'deadline_passed'],
        ['Twilio', 'accepted', null],
      ]);
      // Aldeamo may have accepted the SMS without an answer.
      expect(payment?.possible_duplicate).toBe(true);
      expect(payment?.notification.attempts[0]?.duration_ms).toBeLessThan(2 * timeoutMs);
    }
    const [payment] = await payMany(1, 1);
    expect(payment && attemptsOf(payment)).toEqual([
      ['Aldeamo', 'not_sent', 'circuit_open'],
      ['Twilio', 'accepted', null],
    ]);
  } finally {
    await trio.thaw('aldeamo-service');
  }
});

test('given both providers down, payment-service stores payments over a restart and sends them once the providers are back', async () => {
  await trio.kill('aldeamo-service');
  await trio.kill('twilio-service');

  const made = await payMany(10, 5);
  for (const payment of made)
    expect(payment).toMatchObject({ notification_service: null, notification_status: 'pending' });

  await trio.kill('payment-service');
  await trio.start('payment-service');
  payments = trio.url('payment-service');
  for (const payment of made) {
    const { status, body } = await call<PaymentView>('GET', `${payments}/payments/${payment.payment_id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ notification_service: null, notification_status: 'pending' });
    expect(attemptsOf(body).slice(0, 2)).toEqual(attemptsOf(payment)); // the outbox may have tried again by now
  }

  await Promise.all([trio.start('aldeamo-service'), trio.start('twilio-service')]);
  const pending = () =>
    call<{ data: PaymentView[] }>('GET', `${payments}/payments?notification_status=pending`);
  await eventually(pending, ({ body }) => body.data.length === 0, 40_000);
});
