import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { type AldeamoUpstream, aldeamo, startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { aldeamoSettings } from './live-settings.ts';
import { startPostgres } from './postgres-server.ts';
import { type ServiceName, serviceNames, type Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/** The trio in front of an Aldeamo that answers when it is let go, and processes that stand still meanwhile (SIGSTOP). */

const providerTimeoutMs = 2500;
const gatewayTimeoutMs = 800;

let upstream: AldeamoUpstream;
let trio: Trio;
let held: (() => void)[] = [];
beforeAll(async () => {
  upstream = await startAldeamoUpstream();
  upstream.answerAll((exchange) => held.push(() => aldeamo.accepted(exchange)));
  trio = await startProcesses({
    PROVIDER_TIMEOUT_MS: String(providerTimeoutMs),
    GATEWAY_TIMEOUT_MS: String(gatewayTimeoutMs),
    NOTIFICATION_LEASE_MS: '30000',
    ...aldeamoSettings(upstream),
  });
});
afterAll(async () => {
  await trio[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});
beforeEach(() => {
  upstream.ledger.length = 0;
  held = [];
});

const circuit = async () =>
  (
    await call<{ circuits: { Aldeamo: Record<string, unknown> } }>(
      'GET',
      `${trio.url('payment-service')}/health`,
    )
  ).body.circuits.Aldeamo;

/** Makes payments, stops the services while Aldeamo has the SMS, lets Aldeamo answer, and resumes the services later. */
async function payDuringPause(count: number, paused: readonly ServiceName[], pauseMs: number) {
  const paying = Array.from({ length: count }, (_, n) =>
    pay(trio.url('payment-service'), { customer_id: 'paused', phone: `+57300200${1000 + n}` }),
  );
  await eventually(
    async () => held.length,
    (sends) => sends === count,
    5000,
    5,
  );
  for (const service of paused) await trio.freeze(service);
  for (const answer of held) answer();
  await delay(pauseMs);
  for (const service of paused) await trio.thaw(service);
  return (await Promise.all(paying)).map(({ body }) => body);
}

const summaryOf = ({ notification_status, notification, possible_duplicate }: PaymentView) => ({
  notification_status,
  attempts: notification.attempts.map(({ provider, outcome, reason }) => [provider, outcome, reason]),
  possible_duplicate,
});

describe('given a pause longer than the deadline, each of 10 payments under way has one SMS, and the circuit no failure', () => {
  test.each<[what: string, paused: readonly ServiceName[], pauseMs: number]>([
    ['of payment-service', ['payment-service'], providerTimeoutMs + 1500],
    ['of aldeamo-service', ['aldeamo-service'], gatewayTimeoutMs + 400],
    ['of all services', serviceNames, providerTimeoutMs + 1500],
    // The deadline is not over yet when the services go on, but the provider service needs a moment, too.
    ['of all services until just before it', serviceNames, providerTimeoutMs - 20],
  ])('%s', async (_what, paused, pauseMs) => {
    const made = await payDuringPause(10, paused, pauseMs);
    for (const payment of made)
      expect(summaryOf(payment)).toEqual({
        notification_status: 'sent',
        attempts: [['Aldeamo', 'accepted', null]],
        possible_duplicate: false,
      });
    expect(upstream.ledger).toHaveLength(10);
    expect(await circuit()).toMatchObject({ state: 'closed', failures: 0 });
  });
});

test('given a pause in which PostgreSQL has answered, a payment is answered as it is recorded', async () => {
  await using postgres = await startPostgres({ settings: { fsync: 'off' } });
  const url = await postgres.createDatabase();
  await using replica = await startProcesses({ DATABASE_URL: url });
  const payments = replica.url('payment-service');
  expect((await pay(payments, { customer_id: 'first' })).status).toBe(201);
  const client = new pg.Client(url);
  await client.connect();
  await client.query('BEGIN; LOCK TABLE payments');
  const paying = pay(payments, { customer_id: 'paused' });
  await eventually(
    () => client.query('SELECT 1 FROM pg_locks WHERE NOT granted'),
    ({ rows }) => rows.length > 0,
    2000,
    5,
  );
  await replica.freeze('payment-service');
  await client.end(); // the statement goes on, and its answer waits in the socket
  await delay(5500); // longer than a statement may take
  await replica.thaw('payment-service');
  const { status, body } = await paying;
  expect([status, body.notification_status]).toEqual([201, 'sent']);
});
