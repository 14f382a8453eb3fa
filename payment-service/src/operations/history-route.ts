import { providerSchema } from 'service-kit/contract/notification.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { historyEntrySchema, historyIdSchema, historyIdsFrom, historyKinds } from '../domain/history.ts';
import { pageLimitSchema } from '../domain/page-limit.ts';
import { requestTimeSchema } from '../domain/request-time.ts';
import type { Visibility } from '../domain/visibility.ts';
import type { HistoryStore } from '../store/history.ts';

const querySchema = z
  .strictObject({
    limit: pageLimitSchema,
    starting_after: historyIdSchema.optional().meta({
      description: 'The id of the entry after which the page starts: it has older ones',
    }),
    kind: z.enum(historyKinds).optional(),
    provider: providerSchema.optional(),
    from: requestTimeSchema.optional().meta({
      description: 'Of this time or later (RFC 3339)',
      example: '2026-01-31T00:00:00-05:00',
    }),
    to: requestTimeSchema
      .optional()
      .meta({ description: 'Before this time (RFC 3339)', example: '2026-02-01T00:00:00-05:00' }),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
    path: ['from'],
    message: 'must be earlier than `to`',
  });

const listSchema = z
  .object({ data: z.array(historyEntrySchema), has_more: z.boolean() })
  .meta({ id: 'History' });

const example: z.infer<typeof listSchema> = {
  data: [
    {
      entry_id: 'hst_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d',
      at: '2026-01-31T17:00:00.000Z',
      kind: 'circuit_opened',
      provider: 'Aldeamo',
      replica: 'payment-1',
      by: null,
      reason: '3 failures in a row, the last: connection_refused',
    },
  ],
  has_more: true,
};

/** Greater than each id. */
const afterAll = 'hst_~';

interface HistoryRouteOptions {
  store: Pick<HistoryStore, 'readHistory'>;
  isKept: boolean;
  visibility: Pick<Visibility, 'watchers'>;
}

export function registerHistory(server: Server, { store, isKept, visibility }: HistoryRouteOptions): void {
  server.get(
    '/history',
    {
      config: { access: visibility.watchers },
      schema: {
        tags: ['operations'],
        operationId: 'listHistory',
        summary: 'List what happened to the providers, the store and the service, newest first',
        description:
          'Circuits that opened and closed, providers that were held and released, accounts that were refused and accepted again, outages of the store, and starts of the service. Each replica records what it notices, within about a second; what an outage of the store delays, once it is over. Entries are kept for HISTORY_RETENTION_MS.',
        querystring: querySchema,
        response: {
          200: jsonResponse(listSchema, { example }),
          ...problemResponses(paymentProblems, 'history-off', 'store-unavailable'),
        },
      },
    },
    async ({ query: { limit, starting_after, kind, provider, from = 0, to } }) => {
      if (!isKept) throw paymentProblem('history-off');
      const ends = [starting_after ?? afterAll, to === undefined ? afterAll : historyIdsFrom(to)];
      const [before = afterAll] = ends.toSorted();
      const page = await store.readHistory({ limit, kind, provider, from: historyIdsFrom(from), before });
      return { data: page.entries, has_more: page.has_more };
    },
  );
}
