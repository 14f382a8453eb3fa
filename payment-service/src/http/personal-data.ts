import { customerIdSchema, phoneSchema } from 'service-kit/contract/notification.ts';
import type { Country } from 'service-kit/contract/phone.ts';
import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { EraseCustomer } from '../delivery/erase-customer.ts';
import { findCustomerData } from '../delivery/find-customer-data.ts';
import { paymentProblems } from '../delivery/problems.ts';
import { reasonBodySchema } from '../domain/operator-reason.ts';
import { pageLimitSchema } from '../domain/page-limit.ts';
import { paymentExample } from '../domain/payment-example.ts';
import { paymentViewSchema, viewPayment } from '../domain/payment-view.ts';
import { suppressionSchema } from '../domain/suppression.ts';
import type { Visibility } from '../domain/visibility.ts';
import type { Store } from '../store/store.ts';
import { personOf, personQuerySchema } from './customer-of.ts';

const paramsSchema = z.object({ customer_id: customerIdSchema });
const count = (description: string) => z.number().int().nonnegative().meta({ description });

const erasureSchema = z
  .object({
    customer_id: customerIdSchema,
    erased_at: z.iso.datetime(),
    payments_erased: count('Payments that have lost text, phones and metadata'),
    payments_cancelled: count('Of these, whose notification was pending or held: it is not sent any more'),
    payments_in_progress: count(
      'Payments whose notification is being handled now, or whose record cannot be read: they are as they were. Unless it is 0, repeat the request in a minute',
    ),
    events_deleted: count('Events of these payments that are not in the feed any more'),
    answers_erased: count('Stored responses to an `Idempotency-Key`: a repetition gets the erased payment'),
    phone_erased: z.boolean().meta({ description: 'Whether a phone was stored for the customer' }),
    suppression_kept: z.boolean().meta({
      description:
        'Whether a phone that was erased gets no SMS. It stays among the suppressions alone, because honouring that needs the number; `DELETE /suppressions/{suppression_id}` deletes it. false in a repetition, which finds no phone any more',
    }),
  })
  .meta({ id: 'CustomerErasure' });

/** A payment with its phone, which no other view has. */
const paymentDataSchema = paymentViewSchema
  .extend({ phone: phoneSchema.nullable() })
  .meta({ id: 'CustomerPayment', example: { ...paymentExample, phone: '+573001234567' } });

const dataSchema = z
  .object({
    customer_id: customerIdSchema,
    phone: phoneSchema.nullable().meta({ description: 'The phone that is stored for the customer' }),
    suppressions: z
      .array(suppressionSchema.meta({ id: 'CustomerSuppression' }))
      .meta({ description: 'Those of the phones of this page' }),
    payments: z
      .array(paymentDataSchema)
      .meta({ description: 'Newest first. Events are left out: they repeat what is here' }),
    has_more: z.boolean(),
  })
  .meta({ id: 'CustomerData' });

const config = { access: ['admin' as const] };
const tags = ['customers'];

interface PersonalDataOptions {
  store: Store;
  eraseCustomer: EraseCustomer;
  visibility: Visibility;
  defaultCountry: Country;
}

/** The rights of a person whose data is stored: Ley 1581 de 2012, article 8. */
export function registerPersonalData(
  server: Server,
  { store, eraseCustomer, visibility, defaultCountry }: PersonalDataOptions,
): void {
  server.post(
    '/customers/:customer_id/erasure',
    {
      config,
      schema: {
        tags,
        operationId: 'eraseCustomer',
        summary: 'Erase what is stored of a customer',
        description:
          'Notifications that are pending or held are cancelled. The payments stay, without text, phones and metadata. Idempotent; an interrupted erasure is continued by a repetition.',
        params: paramsSchema,
        querystring: personQuerySchema,
        body: reasonBodySchema(defaultCountry),
        response: {
          200: erasureSchema,
          ...problemResponses(paymentProblems, 'invalid-request', 'erasure-interrupted'),
        },
      },
    },
    async ({ params: { customer_id }, query, body, credential, log }) => {
      const [by, reason] = [credential?.name ?? null, body?.reason ?? null];
      const erasure = await eraseCustomer(personOf(visibility, credential, customer_id, query), by, log);
      log.info({ ...erasure, by, reason }, 'customer erased');
      return erasure;
    },
  );

  server.get(
    '/customers/:customer_id/data',
    {
      config,
      schema: {
        tags,
        operationId: 'getCustomerData',
        summary: 'Export what is stored of a customer',
        params: paramsSchema,
        querystring: personQuerySchema.extend({
          limit: pageLimitSchema,
          starting_after: z
            .string()
            .optional()
            .meta({ description: 'The id of the payment after which the page starts' }),
        }),
        response: {
          200: dataSchema,
          ...problemResponses(paymentProblems, 'invalid-request', 'payment-unreadable', 'store-unavailable'),
        },
      },
    },
    async ({ params: { customer_id }, query, credential }) => {
      const { limit, starting_after } = query;
      const customer = personOf(visibility, credential, customer_id, query);
      const data = await findCustomerData(store, customer, starting_after, limit);
      if (!data)
        throw invalidRequest([
          { path: 'starting_after', message: 'must be the id of a payment of this customer' },
        ]);
      const payments = data.payments.map((payment) => ({ ...viewPayment(payment), phone: payment.phone }));
      return { customer_id, ...data, payments };
    },
  );
}
