import { Readable } from 'node:stream';
import { prefersToJson } from 'service-kit/http/accept.ts';
import type { Credential } from 'service-kit/http/credentials.ts';
import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { defaultPageLimit } from '../domain/page-limit.ts';
import { paymentViewSchema, viewPayment } from '../domain/payment-view.ts';
import type { Visibility } from '../domain/visibility.ts';
import type { Store } from '../store/store.ts';
import { type PaymentListQuery, paymentQuerySchema } from './payment-query.ts';
import { csvContentType, csvExample, streamCsv } from './payments-csv.ts';

const pageSchema = z
  .object({ data: z.array(paymentViewSchema), has_more: z.boolean() })
  .meta({ id: 'PaymentList' });

const listDescription = [
  'Newest first, which is by `payment_id`: an id begins with its time. After a clock was set back by more than ten seconds, new payments stand behind those that were made before, and a client that polls with `ending_before` misses them.',
  'With `Accept: text/csv` the response is the whole list as CSV, without texts and phones. It takes the filters, and neither `limit` nor a cursor. A response that ends early, without its last chunk, is not complete.',
].join('\n\n');

/** The routes that read payments. */
export function registerPayments(server: Server, store: Store, visibility: Visibility): void {
  server.get(
    '/payments/:payment_id',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['payments'],
        operationId: 'getPayment',
        summary: 'Get a payment, with the attempts to notify its customer in order',
        params: z.object({ payment_id: paymentViewSchema.shape.payment_id }),
        response: {
          200: paymentViewSchema,
          ...problemResponses(
            paymentProblems,
            'payment-not-found',
            'payment-unreadable',
            'store-unavailable',
          ),
        },
      },
    },
    async ({ params, credential }) => {
      const payment = await store.find(params.payment_id);
      const client = visibility.confinedTo(credential);
      if (!payment || (client !== undefined && payment.client !== client))
        throw paymentProblem('payment-not-found');
      return viewPayment(payment);
    },
  );

  server.get(
    '/payments',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['payments'],
        operationId: 'listPayments',
        summary: 'List payments, newest first',
        description: listDescription,
        querystring: paymentQuerySchema,
        response: {
          200: {
            description: 'A page of the list, or the whole list as CSV',
            headers: {
              vary: z.string().meta({ description: 'The header that chooses the form', example: 'accept' }),
              'content-disposition': z.string().optional().meta({
                description: 'Of CSV: the name of the file',
                example: 'attachment; filename="payments.csv"',
              }),
            },
            content: {
              'application/json': { schema: pageSchema },
              'text/csv': { schema: z.string(), example: csvExample },
            },
          },
          ...problemResponses(paymentProblems, 'invalid-request', 'store-unavailable'),
        },
      },
    },
    async ({ headers, method, query: given, credential, signal }, reply) => {
      const query = confine(given, visibility, credential);
      reply.header('vary', 'accept');
      if (!prefersToJson('text/csv', headers.accept)) return listPage(store, query, signal);
      const { limit, starting_after, ending_before, ...filters } = query;
      const errors = errorsOfCsv({ limit, starting_after, ending_before });
      if (errors.length > 0) throw invalidRequest(errors);
      // The response to HEAD has no body, and Fastify would read all of it.
      const csv = method === 'HEAD' ? Readable.from([]) : await streamCsv(store, filters);
      reply.header('content-disposition', 'attachment; filename="payments.csv"');
      return reply.type(csvContentType).send(csv as never);
    },
  );
}

/** @throws Problem 400 if the request names a client and may not see its payments */
function confine(
  query: PaymentListQuery,
  visibility: Visibility,
  requester: Credential | undefined,
): PaymentListQuery {
  const client = visibility.confinedTo(requester);
  if (client === undefined) return query;
  if (query.client !== undefined && query.client !== client)
    throw invalidRequest([{ path: 'client', message: 'must be the name of your own key' }]);
  return { ...query, client };
}

async function listPage(store: Store, query: PaymentListQuery, signal: AbortSignal) {
  const page = await store.list({ ...query, limit: query.limit ?? defaultPageLimit }, signal);
  if (page) return { data: page.payments.map(viewPayment), has_more: page.has_more };
  const path = query.starting_after === undefined ? 'ending_before' : 'starting_after';
  throw invalidRequest([{ path, message: 'must be the id of a payment of this list' }]);
}

const errorsOfCsv = (paging: Partial<Record<keyof PaymentListQuery, unknown>>) =>
  Object.entries(paging)
    .filter(([, value]) => value !== undefined)
    .map(([path]) => ({ path, message: 'must be absent, because a list as CSV has no pages' }));
