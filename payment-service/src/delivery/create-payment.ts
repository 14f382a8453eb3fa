import { hash } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { Problem } from 'service-kit/http/problem.ts';
import { currentIds } from 'service-kit/telemetry/correlation.ts';
import { askedProvider } from '../domain/attempts.ts';
import { newPayment, type Payment, type PaymentObserver, type PaymentRequest } from '../domain/payment.ts';
import { viewPayment } from '../domain/payment-view.ts';
import { postpone, type RetryPolicy } from '../domain/retry-policy.ts';
import type { IdempotencyRecord, Store, StoredAnswer } from '../store/store.ts';
import { type Created, createBegin } from './begin-payment.ts';
import type { Bounds } from './bounds.ts';
import type { Delivery } from './delivery.ts';
import { logPayment } from './log-payment.ts';

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
) => Promise<Created>;

export interface PaymentCreation {
  /** Responds 201 when the providers were tried. */
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
  const { begin, phoneOf } = createBegin({ store, delivery, bounds, findCreated });
  let inBackground = 0;

  const createNotified: CreatePayment = async (request, idempotencyKey, log) => {
    const started = await begin(newPayment(request, policy.ttlMs, currentIds()), request, idempotencyKey);
    if ('replay' in started) return started.replay;
    const { begun } = started;
    const answer = askedProvider(begun) ? null : answerOf(201, begun);
    const recorded = await record(begun, recordOf(request, idempotencyKey, begun, answer), log);
    if ('replay' in recorded) return recorded.replay;
    const { payment } = recorded;
    const { payment_id } = payment;
    if (answer) return { payment_id, answer, replayed: false };
    const answerTo = (ended: Payment) => answerOf(201, ended);
    const ended = await delivery.round(payment, log, idempotencyKey === undefined ? undefined : answerTo);
    // With a key, the first answer is the one that every replay gets, so it waits for the record. Without one it is never a
    // 503, because a client that repeats the request would pay twice.
    if (!ended.isRecorded && idempotencyKey !== undefined) throw outcomeNotRecorded();
    return { payment_id, answer: ended.answer ?? answerTo(ended.payment), replayed: false };
  };

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
      const recorded = await record(begun, recordOf(request, idempotencyKey, begun, answer), log);
      if ('replay' in recorded) return recorded.replay;
      if (askedProvider(begun)) background = delivery.round(recorded.payment, log);
      return { payment_id: begun.payment_id, answer, replayed: false };
    } finally {
      void background.then(() => {
        inBackground -= 1;
      });
    }
  };

  /** Commits the payment with its first attempt, unless the key is known: then its answer is returned. */
  async function record(
    begun: Payment,
    key: IdempotencyRecord | undefined,
    log: FastifyBaseLogger,
  ): Promise<{ payment: Payment } | { replay: Created }> {
    const inserted = await store.insert(begun, key);
    if (inserted.known) return { replay: await replay(inserted.known, key?.fingerprint) };
    const payment = { ...begun, phone: phoneOf(begun, inserted.phone) };
    onChange(payment, undefined);
    if (!askedProvider(payment)) logPayment(log, payment, 0);
    return { payment };
  }

  async function findCreated(request: PaymentRequest, idempotencyKey: string): Promise<Created | undefined> {
    const known = await store.findKey(idempotencyKey);
    return known && replay(known, fingerprintOf(request));
  }

  async function replay(known: IdempotencyRecord, fingerprint: string | undefined): Promise<Created> {
    const { payment_id, answer } = known;
    if (known.fingerprint !== fingerprint) {
      throw new Problem(
        422,
        'idempotency-key-reused',
        'This Idempotency-Key was used for another payment before.',
      );
    }
    return { payment_id, answer: answer ?? (await lateAnswer(payment_id)), replayed: true };
  }

  /** The first request has no stored answer yet: it is still being handled, or a crash has ended it. */
  async function lateAnswer(paymentId: string): Promise<StoredAnswer> {
    const payment = await store.find(paymentId);
    if (payment && !askedProvider(payment)) return store.storeAnswer(paymentId, answerOf(201, payment));
    throw new Problem(
      409,
      'idempotency-key-in-use',
      'The first request with this Idempotency-Key is still being handled.',
      { headers: { 'retry-after': '1' } },
    );
  }

  return { createNotified, createDurable, findCreated };
}

const outcomeNotRecorded = () =>
  new Problem(
    503,
    'outcome-not-recorded',
    'The payment is recorded, but the outcome of its notification is not yet. Retry soon with the same Idempotency-Key.',
    { headers: { 'retry-after': '1' } },
  );

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

/** A hash of the parsed request, not of its bytes: 100 and 100.0 are the same payment. */
function fingerprintOf({ amount_minor, currency, customer_id, message, phone }: PaymentRequest): string {
  return hash('sha256', JSON.stringify([amount_minor, currency, customer_id, message, phone]));
}
