import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { untilReadiness } from './readiness.ts';
import type { ReplicaName } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

const services: ReplicaName[] = ['payment-service', 'aldeamo-service', 'twilio-service'];
const fast = { ALDEAMO_LATENCY_MS: '0', TWILIO_LATENCY_MS: '0', NOTIFICATION_RETRY_BASE_MS: '200' };

let postgres: PostgresServer;
let admin: pg.Client;
let url: string;
beforeAll(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
beforeEach(async () => {
  url = await postgres.createDatabase();
  admin = new pg.Client(`postgres://payments:payments@127.0.0.1:${postgres.port}/postgres`);
  await admin.connect();
  await admin.query('SET default_transaction_read_only = off');
  return async () => {
    await setReadOnly('off');
    await admin.end();
  };
});
afterAll(() => postgres[Symbol.asyncDispose]());

/** As an operator does, who wants no writes for a while: for the sessions that are open, too. */
async function setReadOnly(value: 'on' | 'off'): Promise<void> {
  await admin.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
  await admin.query('SELECT pg_reload_conf()');
}

const start = () => startProcesses({ ...fast, DATABASE_URL: url, SENDS_DATABASE_URL: url });
type Trio = Awaited<ReturnType<typeof start>>;

const become = (trio: Trio, status: number) => untilReadiness(trio, services, status);

const logged = (trio: Trio, name: ReplicaName, text: string) =>
  eventually(
    async () => JSON.stringify(await trio.logs(name)),
    (log) => log.includes(text),
    10_000,
  );

const isStoreUp = async (trio: Trio) =>
  /^paysms_store_up (\d)$/m.exec(await (await fetch(`${trio.url('payment-service')}/metrics`)).text())?.[1];

test('given a primary that is read-only for a while, payments are refused with the reason in the log and can be read, and are taken again without a restart', async () => {
  await using trio = await start();
  const payments = trio.url('payment-service');
  await become(trio, 200);
  const { body } = await pay(payments, { customer_id: 'ana' });
  await setReadOnly('on');
  await become(trio, 503);
  for (const name of services) await logged(trio, name, 'in a read-only transaction (25006)');
  const refused = await call('POST', `${payments}/payments`, { amount: 1, customer_id: 'ana' });
  expect([refused.status, refused.body.type]).toEqual([503, '/problems/store-unavailable']);
  expect((await call('GET', `${payments}/payments/${body.payment_id}`)).body).toEqual(body);
  expect(await isStoreUp(trio)).toBe('0');
  const sms = { customer_id: 'ana', message: 'hola', phone: '+573001234567' };
  const key = { 'idempotency-key': 'one' };
  const sent = await call('POST', `${trio.url('aldeamo-service')}/notify`, sms, key);
  expect([sent.status, sent.body.outcome, sent.body.reason]).toEqual([503, 'not_sent', 'memory_unavailable']);

  await setReadOnly('off');
  await become(trio, 200);
  expect(await isStoreUp(trio)).toBe('1');
  expect((await pay(payments, { customer_id: 'ana' })).body.notification_status).toBe('sent');
});

test('given a database that is read-only at the start, each service names the cause and the remedy, and opens it once it takes writes', async () => {
  await setReadOnly('on');
  await using trio = await start();
  await become(trio, 503);
  const server = `127.0.0.1:${postgres.port}`;
  for (const [name, setting] of [
    ['payment-service', 'DATABASE_URL'],
    ['aldeamo-service', 'SENDS_DATABASE_URL'],
  ] as const)
    await logged(
      trio,
      name,
      `PostgreSQL at ${server} is read-only: if it is a standby, promote it or set ${setting} to the primary, else turn default_transaction_read_only off`,
    );
  await setReadOnly('off');
  await become(trio, 200);
  expect((await pay(trio.url('payment-service'), { customer_id: 'ana' })).status).toBe(201);
});
