import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { problemContentType, problemSchema } from '../service-kit/src/http/problem.ts';
import { createDocumentCheck, type Document } from './documented-answers.ts';
import { startTwilioUpstream } from './doubles/twilio-upstream.ts';
import { bytesOf, exchange, garbageOf, type RawAnswer } from './fuzz/exchange.ts';
import { operationsOf } from './fuzz/operations.ts';
import { requestFor } from './fuzz/requests.ts';
import { call } from './http.ts';
import { startOneService } from './one-service.ts';
import { type ServiceName, serviceNames, type Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/**
 * Requests over every route, most of them wrong in a part or two: none is answered with a 5xx, each error is a problem document,
 * each answer is in the OpenAPI document of the service, and nothing is stored or sent for a request that was refused. The seed is
 * fixed, so that a failure can be repeated.
 */

const seed = 20_260_726;
const runs = { 'payment-service': 9000, 'aldeamo-service': 4000, 'twilio-service': 4000, live: 3000 };

let trio: Trio;
let data: string;
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'fuzz-'));
  trio = await startProcesses({
    DATABASE_URL: `file:${data}/payments.db`,
    ALDEAMO_LATENCY_MS: '0',
    TWILIO_LATENCY_MS: '0',
  });
});
afterAll(async () => {
  await trio[Symbol.asyncDispose]();
  await rm(data, { recursive: true });
});

/** The ids in the responses to what was accepted. */
const accepted = { payments: new Set<string>(), customers: new Set<string>(), messages: new Set<string>() };

function noteAccepted(body: string): void {
  const { payment_id, customer_id, message_id } = JSON.parse(body || '{}');
  if (payment_id) accepted.payments.add(payment_id);
  if (customer_id) accepted.customers.add(customer_id);
  if (message_id) accepted.messages.add(message_id);
}

function expectProblem({ status, headers, body }: RawAnswer, isHead: boolean): void {
  expect(headers.get('content-type')).toBe(problemContentType);
  if (isHead) return;
  const problem = problemSchema.parse(JSON.parse(body));
  expect(problem.status).toBe(status);
  expect(body).not.toContain('is not valid');
  for (const { message } of problem.errors ?? []) expect(message).not.toBe('');
}

/**
 * The outcome of a POST /notify, by contract: a DELETE /notify with the key came before, or the sandbox is not to accept the SMS
 * (`live_only`).
 */
const isNotSent = ({ status, body }: RawAnswer) =>
  status === 503 && ['withdrawn', 'sandbox_beside_live'].includes(JSON.parse(body).reason);

async function fuzz(url: string, numRuns: number): Promise<Record<number, number>> {
  const { host, port } = new URL(url);
  const operations = await operationsOf(url);
  // Those with a body have the most that can be wrong.
  const requests = fc.oneof(
    ...operations.map((operation) => ({
      weight: operation.body ? 5 : 1,
      arbitrary: requestFor(operation, host),
    })),
  );
  const { body: document } = await call<Document>('GET', `${url}/openapi.json`);
  const faultsOf = createDocumentCheck(document);
  const counts: Record<number, number> = {};
  const bytes = fc.oneof(
    { weight: 9, arbitrary: requests.map(bytesOf) },
    { weight: 1, arbitrary: garbageOf(requests) },
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (written) => {
      const answer = await exchange(Number(port), written);
      const isHead = /^\s*HEAD /.test(written);
      const status = answer?.status ?? 0;
      counts[status] = (counts[status] ?? 0) + 1;
      // Not answered: only bytes that were never a request, or that end before their last one.
      if (!answer) return;
      if (!isNotSent(answer)) expect(status).toBeLessThan(500);
      const [, method, target] = /^(\w+) (\/\S*) HTTP\/1\.1\r\n/.exec(written) ?? [];
      if (method && target) {
        const headers = Object.fromEntries(answer.headers);
        expect(faultsOf({ method, url: target, status, headers, body: answer.body })).toEqual([]);
      }
      if (status >= 400) expectProblem(answer, isHead);
      else if (!isHead && answer.headers.get('content-type')?.includes('json')) noteAccepted(answer.body);
    }),
    { seed, numRuns },
  );
  return counts;
}

test.each([
  'payment-service',
  'aldeamo-service',
  'twilio-service',
] satisfies ServiceName[])('%s answers no request with a 5xx, and each error is a problem document', async (service) => {
  const counts = await fuzz(trio.url(service), runs[service]);
  expect(counts[200]).toBeGreaterThan(runs[service] / 10);
  expect(counts[400]).toBeGreaterThan(runs[service] / 10);
}, 180_000);

test('so does a live twilio-service, and what it passes on is right', async () => {
  const upstream = await startTwilioUpstream();
  const { url } = await startOneService('twilio-service', {
    settings: {
      TWILIO_ACCOUNT_SID: upstream.accountSid,
      TWILIO_AUTH_TOKEN: upstream.authToken,
      TWILIO_FROM: '+15005550006',
      TWILIO_BASE_URL: upstream.url,
      PUBLIC_URL: 'https://sms.example.com',
    },
  });
  const counts = await fuzz(url, runs.live);
  expect(counts[200]).toBeGreaterThan(runs.live / 10);
  expect(upstream.violations).toEqual([]);
  expect(upstream.ledger.length).toBeGreaterThan(0);
  await upstream[Symbol.asyncDispose]();
}, 180_000);

test('no request is logged as a defect of the service', async () => {
  for (const service of serviceNames)
    expect((await trio.logs(service)).filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

test('only what was accepted is stored or sent', async () => {
  using store = new DatabaseSync(`${data}/payments.db`, { readOnly: true });
  const column = (sql: string) =>
    store
      .prepare(sql)
      .all()
      .map((row) => Object.values(row)[0] as string);
  expect(new Set(column('SELECT payment_id FROM payments'))).toEqual(accepted.payments);
  for (const customer of column('SELECT customer_id FROM customers'))
    expect(accepted.customers).toContain(customer);
  const sent = column("SELECT value ->> 'message_id' FROM payments, json_each(attempts)");
  const ledgers = await Promise.all(
    (['aldeamo-service', 'twilio-service'] as const).map(async (service) => {
      const { body } = await call<{ data: { message_id: string }[] }>(
        'GET',
        `${trio.url(service)}/sandbox/messages`,
      );
      return body.data.map(({ message_id }) => message_id);
    }),
  );
  for (const message of ledgers.flat()) expect([...accepted.messages, ...sent]).toContain(message);
});
