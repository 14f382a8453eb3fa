import type { FastifyRequest } from 'fastify';
import { idempotencyKeySchema } from 'service-kit/contract/notification.ts';
import type { Credential } from 'service-kit/http/credentials.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { Created } from '../delivery/begin-payment.ts';
import type { PaymentCreation } from '../delivery/create-payment.ts';
import { paymentProblems } from '../delivery/problems.ts';
import type { PaymentRequest } from '../domain/payment.ts';
import { paymentExample, pendingPaymentExample } from '../domain/payment-example.ts';
import { paymentViewSchema } from '../domain/payment-view.ts';
import { formerPaymentRequestSchema, paymentRequestSchema, type RequestRules } from './payment-request.ts';
import { readPreferences } from './prefer.ts';
import { scopedKey } from './scoped-key.ts';

const headers = {
  location: z
    .string()
    .meta({ description: 'The path of the payment', example: `/payments/${paymentExample.payment_id}` }),
  'idempotent-replayed': z.literal('true').meta({
    description: 'Only if the response is that of an earlier request with the same Idempotency-Key',
  }),
};

const preferenceApplied = z.string().meta({
  description: 'The preference of the request that was followed (RFC 7240)',
  example: 'respond-async',
});

export function registerPaymentCreation(
  server: Server,
  creation: PaymentCreation,
  rules: RequestRules,
): void {
  const formerSchema = formerPaymentRequestSchema(rules);

  /** What is refused now may have been taken by an earlier release: a client that lost the answer must not take it for refused. */
  async function replayFormer({ body, headers, credential }: FastifyRequest): Promise<Created | undefined> {
    const header = idempotencyKeySchema.safeParse(headers['idempotency-key']);
    const request = formerSchema.safeParse(body);
    if (!header.success || !request.success) return undefined;
    return creation.findCreated(madeBy(credential, request.data), scopedKey(header.data, credential));
  }

  server.post(
    '/payments',
    {
      config: { access: ['client', 'admin'] },
      attachValidation: true,
      schema: {
        tags: ['payments'],
        operationId: 'createPayment',
        summary: 'Record a payment and notify its customer',
        description:
          'Returns 201 once the payment is recorded and the providers have been tried, whatever the outcome: a failing provider never fails a payment.',
        headers: z.object({
          'idempotency-key': idempotencyKeySchema.optional().meta({
            description:
              'Makes a repetition safe: the same key returns the first response until IDEMPOTENCY_RETENTION_MS has passed, and nothing is done again. 1 to 255 printable ASCII characters, bare (without `"`, `,` and `;`) or in quotes (with `\\"` and `\\\\` as escapes)',
          }),
          prefer: z.string().optional().meta({
            description:
              '`respond-async`: returns 202 as soon as the payment is durable, and notifies the customer afterwards. `wait=2`: does so once 2 seconds have passed without an outcome (RFC 7240)',
          }),
        }),
        body: paymentRequestSchema(rules),
        response: {
          201: jsonResponse(paymentViewSchema, {
            description: 'The payment is recorded, and the providers have been tried',
            headers,
          }),
          202: jsonResponse(paymentViewSchema, {
            description: 'The payment is recorded, and its customer is notified afterwards',
            example: pendingPaymentExample,
            headers: { ...headers, 'preference-applied': preferenceApplied },
          }),
          ...problemResponses(
            paymentProblems,
            'idempotency-key-in-use',
            'idempotency-key-reused',
            'payment-unreadable',
            'store-unavailable',
            'outcome-not-recorded',
          ),
        },
      },
    },
    async (request, reply) => {
      const { body, headers, credential, log, validationError } = request;
      const key = headers['idempotency-key'];
      const { respondAsync, waitMs } = readPreferences(headers.prefer);
      const create = respondAsync && waitMs === undefined ? creation.createDurable : creation.createNotified;
      const created = validationError
        ? await replayFormer(request)
        : await create(madeBy(credential, body), key && scopedKey(key, credential), log, waitMs);
      if (!created) throw validationError;
      const { payment_id, answer, replayed } = created;
      reply.header('location', `/payments/${payment_id}`);
      if (answer.status === 202)
        reply.header('preference-applied', waitMs === undefined ? 'respond-async' : `wait=${waitMs / 1000}`);
      if (replayed) reply.header('idempotent-replayed', 'true');
      // The body is sent as it was stored, so that a replay is the first response byte for byte.
      reply.code(answer.status as 201).type('application/json; charset=utf-8');
      return reply.serializer((text: unknown) => text as string).send(answer.body as never);
    },
  );
}

const madeBy = (client: Credential | undefined, request: PaymentRequest): PaymentRequest => ({
  ...request,
  client: client?.name ?? null,
});
