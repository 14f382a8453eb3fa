import { hash } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { Problem } from 'service-kit/http/problem.ts';
import { askedProvider } from '../domain/attempts.ts';
import {
  newPayment,
  type Payment,
  type PaymentObserver,
  type PaymentRequest,
  viewPayment,
} from '../domain/payment.ts';
import { postpone, type RetryPolicy } from '../domain/retry-policy.ts';
import type { IdempotencyRecord, KeptAnswer, Store } from '../store/store.ts';
import { type Delivery, logPayment } from './delivery.ts';

export interface CreateOptions {
  /** The client's name for this request: repeated, it is answered again and not carried out again. */
  idempotencyKey: string | undefined;
  /** Answer when the payment is durable; its customer is notified afterwards. */
  respondAsync: boolean;
}

export interface Created {
  payment_id: string;
  answer: KeptAnswer;
  replayed: boolean;
}

export interface Payments {
  /**
   * Keeps the payment, then has its customer notified. A provider's trouble is no failure of the payment.
   *
   * @throws StoreUnavailable if the payment could not be kept; nothing was sent then
   * @throws Problem 422 if the key came with another payment before, 409 if that one is still being handled
   */
  create(request: PaymentRequest, options: CreateOptions, log: FastifyBaseLogger): Promise<Created>;
}

export interface PaymentsOptions {
  store: Store;
  delivery: Delivery;
  policy: RetryPolicy;
  onChange?: PaymentObserver;
}

/** More of them wait in the store, for the outbox: memory is no queue. */
const maxInBackground = 64;

export function createPayments({ store, delivery, policy, onChange = () => {} }: PaymentsOptions): Payments {
  let inBackground = 0;

  /** A place among those that are notified after their answer, to be given back; undefined if all are taken. */
  function takePlace(): (() => void) | undefined {
    if (inBackground >= maxInBackground) return undefined;
    inBackground += 1;
    return () => {
      inBackground -= 1;
    };
  }

  async function replay(record: IdempotencyRecord, fingerprint: string): Promise<Created> {
    const { payment_id, answer } = record;
    if (record.fingerprint !== fingerprint) {
      throw new Problem(
        422,
        'idempotency-key-reused',
        'This Idempotency-Key came with another payment before.',
      );
    }
    return { payment_id, answer: answer ?? (await lateAnswer(payment_id)), replayed: true };
  }

  /** The first request never got its answer kept: it is still being handled, or a crash cut it short. */
  async function lateAnswer(paymentId: string): Promise<KeptAnswer> {
    const payment = await store.find(paymentId);
    if (payment && !askedProvider(payment)) return store.keepAnswer(paymentId, answerOf(201, payment));
    throw new Problem(
      409,
      'idempotency-key-in-use',
      'The first request with this Idempotency-Key is still being handled.',
      {
        headers: { 'retry-after': '1' },
      },
    );
  }

  return {
    async create(request, { idempotencyKey, respondAsync }, log) {
      const giveBack = respondAsync ? takePlace() : undefined;
      const created = newPayment(request, policy.ttlMs);
      // Without a place it is left to the outbox.
      const begun = respondAsync && !giveBack ? postpone(created, Date.now()) : delivery.begin(created);
      const { payment_id } = begun;
      const isAnswered = respondAsync || !askedProvider(begun);
      const answer = isAnswered ? answerOf(respondAsync ? 202 : 201, begun) : null;
      const record =
        idempotencyKey === undefined
          ? undefined
          : { key: idempotencyKey, fingerprint: fingerprintOf(request), payment_id, answer };

      let payment: Payment;
      let background = Promise.resolve();
      try {
        const inserted = await store.insert(begun, record);
        if (inserted.known) return await replay(inserted.known, fingerprintOf(request));
        payment = { ...begun, phone: inserted.phone };
        onChange(payment, undefined);
        if (!askedProvider(payment)) logPayment(log, payment, 0);
        else if (respondAsync) background = delivery.round(payment, log).then(() => {});
      } finally {
        void background.then(giveBack);
      }
      if (answer) return { payment_id, answer, replayed: false };

      // Without a key there is no record to keep the answer in.
      const notified = await delivery.round(payment, log, record && ((end) => answerOf(201, end)));
      return { payment_id, answer: answerOf(201, notified), replayed: false };
    },
  };
}

const answerOf = (status: number, payment: Payment): KeptAnswer => ({
  status,
  body: JSON.stringify(viewPayment(payment)),
});

/** Of what was understood, not of the bytes: 100 and 100.0 are the same payment. */
function fingerprintOf({ amount_minor, currency, customer_id, message, phone }: PaymentRequest): string {
  return hash('sha256', JSON.stringify([amount_minor, currency, customer_id, message, phone]));
}
