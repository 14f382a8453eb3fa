import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { operatorReasonSchema } from '../domain/operator-reason.ts';
import { pageLimitSchema } from '../domain/page-limit.ts';
import { newSuppression, type Suppression, suppressionSchema } from '../domain/suppression.ts';
import type { Store } from '../store/store.ts';
import { phoneRequestSchema, type RequestRules } from './payment-request.ts';

const { phone: _, ...fields } = suppressionSchema.shape;

/** A suppression as an admin sees it, who finds the phone's by a search for it. */
const suppressionViewSchema = z
  .object({
    ...fields,
    phone_last4: z.string().meta({ description: 'The last four digits of the phone', example: '4567' }),
  })
  .meta({ id: 'Suppression' });

const viewSuppression = ({ phone, ...shown }: Suppression): z.infer<typeof suppressionViewSchema> => ({
  ...shown,
  phone_last4: phone.slice(-4),
});

/** Stored for as long as the suppression, and logged. */
const reasonSchema = ({ defaultCountry }: RequestRules) =>
  operatorReasonSchema(defaultCountry).meta({
    description: 'Why the phone gets no SMS, in your own words: no personal data',
    example: 'asked us by letter',
  });

const example = {
  suppression_id: 'sup_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d',
  source: 'admin',
  reason: 'asked us by letter',
  provider: null,
  payment_id: null,
  created_at: '2026-01-31T17:00:00.000Z',
  phone_last4: '4567',
};

const headers = {
  location: z.string().meta({
    description: 'The path of the suppression',
    example: '/suppressions/sup_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d',
  }),
};

const paramsSchema = z.object({ suppression_id: suppressionSchema.shape.suppression_id });
const failures = problemResponses(paymentProblems, 'store-unavailable');
const failuresOfOne = problemResponses(paymentProblems, 'suppression-not-found', 'store-unavailable');

const tags = ['suppressions'];
const config = { access: ['admin' as const] };

/** The phones that get no SMS. A phone is in the body of a request alone, because URLs are logged on their way. */
export function registerSuppressions(server: Server, store: Store, rules: RequestRules): void {
  registerReads(server, store, rules);

  server.post(
    '/suppressions',
    {
      config,
      schema: {
        tags,
        operationId: 'createSuppression',
        summary: 'Suppress a phone: it gets no SMS until an admin deletes the suppression',
        description: 'Replaces an opt-out of the phone, so that no START lifts it.',
        body: z.strictObject({ phone: phoneRequestSchema(rules), reason: reasonSchema(rules) }),
        response: {
          200: jsonResponse(suppressionViewSchema, {
            description: 'The phone was suppressed before',
            headers,
            example,
          }),
          201: jsonResponse(suppressionViewSchema, { headers, example }),
          ...failures,
        },
      },
    },
    async ({ body: { phone, reason }, credential, log }, reply) => {
      const given = newSuppression({ phone, source: 'admin', reason, provider: null, payment_id: null });
      const { suppression, isNew } = await store.putSuppression(given);
      const { suppression_id } = suppression;
      const by = credential?.name ?? null;
      log.info({ suppression_id, by, reason, is_new: isNew }, 'phone suppressed');
      reply.header('location', `/suppressions/${suppression_id}`);
      return reply.code(isNew ? 201 : 200).send(viewSuppression(suppression));
    },
  );

  server.delete(
    '/suppressions/:suppression_id',
    {
      config,
      schema: {
        tags,
        operationId: 'deleteSuppression',
        summary: 'Delete a suppression: its phone gets SMS again',
        params: paramsSchema,
        querystring: z.strictObject({ reason: operatorReasonSchema(rules.defaultCountry).optional() }),
        response: { 204: z.undefined(), ...failuresOfOne },
      },
    },
    async ({ params: { suppression_id }, query: { reason = null }, credential, log }, reply) => {
      if (!(await store.deleteSuppression(suppression_id))) throw paymentProblem('suppression-not-found');
      log.info({ suppression_id, by: credential?.name ?? null, reason }, 'suppression deleted');
      return reply.code(204).send();
    },
  );
}

function registerReads(server: Server, store: Store, rules: RequestRules): void {
  server.post(
    '/suppressions/search',
    {
      config,
      schema: {
        tags,
        operationId: 'searchSuppressions',
        summary: 'Find the suppression of a phone',
        body: z.strictObject({ phone: phoneRequestSchema(rules) }),
        response: { 200: z.object({ data: z.array(suppressionViewSchema) }), ...failures },
      },
    },
    async ({ body: { phone } }) => {
      const suppression = await store.findSuppression({ phone });
      return { data: suppression ? [viewSuppression(suppression)] : [] };
    },
  );

  server.get(
    '/suppressions',
    {
      config,
      schema: {
        tags,
        operationId: 'listSuppressions',
        summary: 'List suppressions, newest first',
        querystring: z.strictObject({
          limit: pageLimitSchema,
          starting_after: z
            .string()
            .optional()
            .meta({ description: 'The id of the suppression after which the page starts' }),
        }),
        response: {
          200: z
            .object({ data: z.array(suppressionViewSchema), has_more: z.boolean() })
            .meta({ id: 'SuppressionList' }),
          ...failures,
        },
      },
    },
    async ({ query: { limit, starting_after } }) => {
      const page = await store.listSuppressions({ limit, starting_after });
      if (!page)
        throw invalidRequest([{ path: 'starting_after', message: 'must be the id of a suppression' }]);
      return { data: page.suppressions.map(viewSuppression), has_more: page.has_more };
    },
  );

  server.get(
    '/suppressions/:suppression_id',
    {
      config,
      schema: {
        tags,
        operationId: 'getSuppression',
        summary: 'Get a suppression',
        params: paramsSchema,
        response: { 200: suppressionViewSchema, ...failuresOfOne },
      },
    },
    async ({ params: { suppression_id } }) => {
      const suppression = await store.findSuppression({ suppression_id });
      if (!suppression) throw paymentProblem('suppression-not-found');
      return viewSuppression(suppression);
    },
  );
}
