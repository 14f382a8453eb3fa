import { hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { currentIds } from 'service-kit/telemetry/correlation.ts';
import { askedProvider } from '../domain/attempts.ts';
import { newPayment, type Payment, type PaymentObserver, type PaymentRequest } from '../domain/payment.ts';
import { viewPayment } from '../domain/payment-view.ts';
import { postpone, type RetryPolicy } from '../domain/retry-policy.ts';
import { suppressNew } from '../domain/suppression.ts';
import { type IdempotencyRecord, type Store, type StoredAnswer, StoreUnavailable } from '../store/store.ts';
import { type Created, createBegin } from './begin-payment.ts';
import type { Bounds } from './bounds.ts';
import type { Delivery } from './delivery.ts';
import { logPayment } from './log-payment.ts';
import { paymentProblem } from './problems.ts';

/**
 * Records a payment, then has its customer notified. A provider in trouble never fails the payment. A request whose
 * `idempotencyKey` is known gets the stored answer, and nothing is sent.
 *
 * @throws StoreUnavailable if the payment could not be recorded; nothing was sent then
 * @throws Problem 422 if the key came with another request, 409 while the first request with it is being handled, 503 if
 *   what became of the notification could not be recorded: the key gets the record later
 */
type CreatePayment = (
  request: PaymentRequest,
  idempotencyKey: string | undefined,
  log: FastifyBaseLogger,
  waitMs?: number,
) => Promise<Created>;

export interface PaymentCreation {
  /** Responds 201 when the providers were tried, or 202 when `waitMs` have passed, as `createDurable` does. */
  createNotified: CreatePayment;
  /** Responds 202 when the payment is durable; its customer is notified afterwards. */
  createDurable: CreatePayment;
  /** The first answer to this request; undefined if its key is not known. @throws as CreatePayment does */
  findCreated: (request: PaymentRequest, idempotencyKey: string) => Promise<Created | undefined>;
}

export interface PaymentCreationOptions {
  store: Store;
  delivery: Delivery;
  policy: RetryPolicy;
  bounds?: Bounds;
  onChange?: PaymentObserver;
}

/** Beyond this limit payments are left to the outbox instead of queueing in memory. */
const maxInBackground = 64;

export function createPaymentCreation(options: PaymentCreationOptions): PaymentCreation {
  const { store, delivery, policy, bounds, onChange = () => {} } = options;
  const { begin, phoneOf } = createBegin({ delivery, bounds, findCreated });
  let inBackground = 0;

  const createNotified: CreatePayment = async (request, idempotencyKey, log, waitMs) => {
    if (waitMs !== undefined && inBackground >= maxInBackground)
      return createDurable(request, idempotencyKey, log);
    const deadline = waitMs === undefined ? undefined : performance.now() + waitMs;
    const started = await begin(newPayment(request, policy.ttlMs, currentIds()), request, idempotencyKey);
    if ('replay' in started) return started.replay;
    const { begun } = started;
    const answer = askedProvider(begun) ? null : answerOf(201, begun);
    const recorded = await record(201, begun, recordOf(request, idempotencyKey, begun, answer), log);
    if ('created' in recorded) return recorded.created;
    const { payment } = recorded;
    const { payment_id } = payment;
    if (answer) return { payment_id, answer, replayed: false };
    const notified = notifyFirst(payment, idempotencyKey, log);
    const inTime = await within(deadline, notified);
    if (inTime) return { payment_id, answer: inTime, replayed: false };
    inBackground += 1;
    const left = () => {
      inBackground -= 1;
    };
    notified.then(left, left);
    return { payment_id, answer: await answerLate(payment, idempotencyKey), replayed: false };
  };

  /** The answer with the outcome of the first round. */
  async function notifyFirst(
    payment: Payment,
    idempotencyKey: string | undefined,
    log: FastifyBaseLogger,
  ): Promise<StoredAnswer> {
    const answerTo = (ended: Payment) => answerOf(201, ended);
    const ended = await delivery.round(payment, log, idempotencyKey === undefined ? undefined : answerTo);
    // With a key, the first answer is the one that every replay gets, so it waits for the record. Without one it is never a
    // 503, because a client that repeats the request would pay twice.
    if (!ended.isRecorded && idempotencyKey !== undefined) throw paymentProblem('outcome-not-recorded');
    return ended.answer ?? answerTo(ended.payment);
  }

  /** The answer while the first round goes on, unless its key has got another one meanwhile. */
  async function answerLate(payment: Payment, idempotencyKey: string | undefined): Promise<StoredAnswer> {
    const late = answerOf(202, payment);
    return idempotencyKey === undefined ? late : storeFirst(payment.payment_id, late);
  }

  /** Stores the answer for the payment's key unless it has one, and returns the one that it has. */
  async function storeFirst(paymentId: string, answer: StoredAnswer): Promise<StoredAnswer> {
    return store.storeAnswer(paymentId, answer).catch((error: unknown) => {
      throw error instanceof StoreUnavailable ? paymentProblem('outcome-not-recorded') : error;
    });
  }

  const createDurable: CreatePayment = async (request, idempotencyKey, log) => {
    const created = newPayment(request, policy.ttlMs, currentIds());
    const isRoom = inBackground < maxInBackground;
    let background: Promise<unknown> = Promise.resolve();
    inBackground += 1;
    try {
      const started = isRoom
        ? await begin(created, request, idempotencyKey)
        : { begun: postpone(created, policy, 0) };
      if ('replay' in started) return started.replay;
      const { begun } = started;
      const answer = answerOf(202, begun);
      const recorded = await record(202, begun, recordOf(request, idempotencyKey, begun, answer), log);
      if ('created' in recorded) return recorded.created;
      if (askedProvider(begun)) background = delivery.round(recorded.payment, log);
      return { payment_id: begun.payment_id, answer, replayed: false };
    } finally {
      void background.then(() => {
        inBackground -= 1;
      });
    }
  };

  /**
   * Commits the payment with its first attempt. Returns the response to the request if that is known then: the key was known, or the
   * phone is suppressed. `status` is that of a new response.
   */
  async function record(
    status: number,
    begun: Payment,
    key: IdempotencyRecord | undefined,
    log: FastifyBaseLogger,
  ): Promise<{ payment: Payment } | { created: Created }> {
    const inserted = await store.insert(begun, key);
    if (inserted.known) return { created: await replay(inserted.known, key?.fingerprint) };
    const { phone, suppressed } = inserted;
    const payment = suppressed
      ? suppressNew({ ...begun, phone })
      : { ...begun, phone: phoneOf(begun, phone) };
    onChange(payment, undefined);
    if (!askedProvider(payment)) logPayment(log, payment, 0);
    if (!suppressed) return { payment };
    const { payment_id } = payment;
    const answer = answerOf(status, payment);
    return {
      created: { payment_id, answer: key ? await storeFirst(payment_id, answer) : answer, replayed: false },
    };
  }

  async function findCreated(request: PaymentRequest, idempotencyKey: string): Promise<Created | undefined> {
    const known = await store.findKey(idempotencyKey);
    return known && replay(known, fingerprintOf(request));
  }

  async function replay(known: IdempotencyRecord, fingerprint: string | undefined): Promise<Created> {
    const { payment_id, answer } = known;
    if (known.fingerprint !== fingerprint) throw paymentProblem('idempotency-key-reused');
    return { payment_id, answer: answer ?? (await lateAnswer(payment_id)), replayed: true };
  }

  /** The first request has no stored answer yet: it is still being handled, or a crash has ended it. */
  async function lateAnswer(paymentId: string): Promise<StoredAnswer> {
    const payment = await store.find(paymentId);
    if (payment && !askedProvider(payment)) return store.storeAnswer(paymentId, answerOf(201, payment));
    throw paymentProblem('idempotency-key-in-use');
  }

  return { createNotified, createDurable, findCreated };
}

/** What the work resolves to, or undefined if the deadline, by performance.now(), passes first. */
async function within<T>(deadline: number | undefined, work: Promise<T>): Promise<T | undefined> {
  if (deadline === undefined) return work;
  const waiting = new AbortController();
  const passed = delay(Math.max(0, deadline - performance.now()), undefined, waiting).catch(() => {});
  try {
    return await Promise.race([work, passed as Promise<undefined>]);
  } finally {
    waiting.abort();
  }
}

const answerOf = (status: number, payment: Payment): StoredAnswer => ({
  status,
  body: JSON.stringify(viewPayment(payment)),
});

const recordOf = (
  request: PaymentRequest,
  key: string | undefined,
  { payment_id }: Payment,
  answer: StoredAnswer | null,
): IdempotencyRecord | undefined =>
  key === undefined ? undefined : { key, fingerprint: fingerprintOf(request), payment_id, answer };

/**
 * A hash of the parsed request, not of its bytes: 100 and 100.0 are the same payment. What was added later is in it only if it is
 * there, so that a key of an earlier release is still compared by the same hash.
 */
function fingerprintOf(request: PaymentRequest): string {
  const { amount_minor, currency, customer_id, message, phone, ttl_seconds } = request;
  const { reference, metadata } = request;
  const later = {
    ...(ttl_seconds !== undefined && { ttl_seconds }),
    ...(reference && { reference }),
    ...(metadata && Object.keys(metadata).length > 0 && { metadata: Object.entries(metadata).sort(byName) }),
  };
  const added = Object.keys(later).length > 0 ? [later] : [];
  return hash('sha256', JSON.stringify([amount_minor, currency, customer_id, message, phone, ...added]));
}

const byName = ([one]: [string, string], [other]: [string, string]) => (one < other ? -1 : 1);
