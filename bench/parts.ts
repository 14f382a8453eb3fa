import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Opossum from 'opossum';
import { onTestFinished, test } from 'vitest';
import { logPayment } from '../payment-service/src/delivery/log-payment.ts';
import { endAttempt, startAttempt } from '../payment-service/src/domain/attempts.ts';
import { consequencesOf } from '../payment-service/src/domain/outcome.ts';
import { newPayment } from '../payment-service/src/domain/payment.ts';
import { viewPayment } from '../payment-service/src/domain/payment-view.ts';
import { paymentRequestSchema } from '../payment-service/src/http/payment-request.ts';
import {
  circuitBreakerDefaults,
  createCircuitBreaker,
  type EndedCall,
} from '../payment-service/src/providers/circuit-breaker.ts';
import { outcomeOfAnswer } from '../payment-service/src/providers/provider-answer.ts';
import { openSqliteStore } from '../payment-service/src/store/sqlite/store.ts';
import type { Answer } from '../service-kit/src/client/answer.ts';
import type { Outcome } from '../service-kit/src/contract/notification.ts';
import { createLogger } from '../service-kit/src/http/start.ts';

/** `npm run bench:parts`: measures the parts of a payment in one process, without a network. */

const logger = createLogger({ level: 'info' }, { write: () => {} });

const request = { amount_minor: 10_050, currency: 'COP', customer_id: '123', message: null, phone: null };
const accepted: Outcome = { outcome: 'accepted', message_id: 'msg_1' };
const notSent: Outcome = { outcome: 'not_sent', reason: 'connection_refused' };

const create = () => newPayment(request, 86_400_000, { traceparent: null, request_id: null });
const once = endAttempt(startAttempt(create(), 'Aldeamo'), accepted, 12);
const twice = endAttempt(
  startAttempt(endAttempt(startAttempt(create(), 'Aldeamo'), notSent, 1), 'Twilio'),
  accepted,
  12,
);

test('validation', async ({ bench }) => {
  const schema = paymentRequestSchema({
    defaultCountry: 'CO',
    transliterate: true,
    maxSegments: 3,
    maxTtlSeconds: 60,
  });
  const short = { amount: '100.50', customer_id: '123' };
  const whole = {
    ...short,
    currency: 'COP',
    phone: '300 123 4567',
    message: 'Pago número 5 recibido, ¡gracias!',
  };
  await bench.compare(
    bench('all fields', () => void schema.safeParse(whole)),
    bench(
      'all fields, a text of two SMS',
      () => void schema.safeParse({ ...whole, message: 'a'.repeat(200) }),
    ),
    bench('amount and customer_id', () => void schema.safeParse(short)),
    bench('invalid', () => void schema.safeParse({ amount: '-1', customer_id: '' })),
  );
});

test('outcome mapping', async ({ bench }) => {
  const answer = (status: number, body: object): Answer => ({
    status,
    retryAfter: undefined,
    body: JSON.stringify(body),
  });
  const sent = answer(200, { provider: 'Aldeamo', status: 'sent', message_id: 'msg_1' });
  const problem = answer(503, {
    type: '/problems/notification-not-sent',
    title: 'Service Unavailable',
    status: 503,
    outcome_of: 'notification',
    detail: 'The SMS was not sent.',
    ...notSent,
  });
  await bench.compare(
    bench('accepted', () => void outcomeOfAnswer('Aldeamo', sent)),
    bench('problem with an outcome', () => void outcomeOfAnswer('Aldeamo', problem)),
    bench('consequences', () => void consequencesOf(notSent)),
  );
});

test('circuit breaker', async ({ bench }) => {
  const ended: EndedCall<string> = { result: 'sent', countsAs: 'success', reason: null };
  const action = async () => ended;
  const breaker = createCircuitBreaker<[], string>({
    provider: 'Aldeamo',
    parameters: circuitBreakerDefaults,
    action,
    fallback: async () => 'sent by another',
    check: async () => ({ status: 'healthy', reason: null, account_refused: false }),
    log: logger,
  });
  const opossum = new Opossum(action, { timeout: false });
  onTestFinished(() => {
    breaker.shutdown();
    opossum.shutdown();
  });
  await bench.compare(
    bench('the action alone', async () => void (await action())),
    bench('opossum', async () => void (await opossum.fire())),
    bench('our breaker', async () => void (await breaker.fire())),
  );
});

test('serialisation', async ({ bench }) => {
  await bench.compare(
    bench('new payment', () => void create()),
    bench('answer, one attempt', () => void JSON.stringify(viewPayment(once))),
    bench('answer, two attempts', () => void JSON.stringify(viewPayment(twice))),
    bench('log line, one attempt', () => logPayment(logger, once, 12)),
    bench('log line, two attempts', () => logPayment(logger, twice, 12)),
  );
});

test('store, by the number of concurrent inserts', async ({ bench }) => {
  const directory = await mkdtemp(join(tmpdir(), 'bench-parts-'));
  const store = await openSqliteStore({ path: join(directory, 'payments.db'), leaseMs: 30_000 });
  onTestFinished(async () => {
    await store.close();
    await rm(directory, { recursive: true });
  });
  const insert = (count: number) =>
    Promise.all(Array.from({ length: count }, () => store.insert(startAttempt(create(), 'Aldeamo'))));
  await bench.compare(
    ...[1, 8, 16, 64, 256].map((count) => bench(`${count}`, async () => void (await insert(count)))),
  );
});
