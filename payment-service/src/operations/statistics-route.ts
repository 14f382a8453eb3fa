import { providerSchema } from 'service-kit/contract/notification.ts';
import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { dayMs } from '../domain/bounds.ts';
import { requestTimeSchema } from '../domain/request-time.ts';
import type { Visibility } from '../domain/visibility.ts';
import type { StatisticsStore } from '../store/statistics.ts';
import { type Interval, intervals, readStatistics, wholeIntervals } from './read-statistics.ts';
import { writeEveryMs } from './statistics.ts';

const maxDays: Record<Interval, number> = { hour: 31, day: 400 };

const querySchema = z.strictObject({
  from: requestTimeSchema.optional().meta({
    description: 'The interval of this time is the first (RFC 3339); by default a day before `to`',
    example: '2026-01-31T00:00:00Z',
  }),
  to: requestTimeSchema.optional().meta({
    description: 'The last interval begins before this time (RFC 3339); by default now',
    example: '2026-02-01T00:00:00Z',
  }),
  by: z
    .enum(intervals)
    .default('hour')
    .meta({
      description: `Hours and days are of UTC; at most ${maxDays.hour} days by hour, and ${maxDays.day} days by day`,
    }),
});

const count = z.number().int();
const timesSchema = z.object({ p50: count, p95: count }).nullable();

const intervalSchema = z
  .object({
    at: z.iso.datetime().meta({ description: 'When the interval begins' }),
    provider: providerSchema
      .nullable()
      .meta({ description: 'null: of notifications that no provider failed' }),
    sent: count.meta({ description: 'SMS that the provider accepted' }),
    segments: count.meta({ description: 'The SMS that their texts take' }),
    delivered: count.meta({ description: 'SMS that were delivered, as their receipts said' }),
    failed: z
      .array(z.object({ reason: z.string(), count }))
      .meta({ description: 'Notifications that failed, by reason, the most frequent first' }),
    accepted_ms: timesSchema.meta({
      description:
        'The time from a payment to the first acceptance of its SMS, off by up to 2.5% and a millisecond; null without one. What was sent again by hand is left out',
    }),
    delivered_ms: timesSchema.meta({
      description: 'As above, to the receipt that the SMS was delivered',
    }),
  })
  .meta({
    id: 'StatisticsInterval',
    description: 'What became of the SMS of a provider in an hour or a day',
  });

const statisticsSchema = z
  .object({
    by: z.enum(intervals),
    from: z.iso.datetime().meta({ description: 'The beginning of the first interval' }),
    to: z.iso.datetime().meta({ description: 'The end of the last interval' }),
    complete_to: z.iso.datetime().meta({
      description:
        'What happened later is counted only in part; what a replica counted in its last ten seconds before a crash is lost',
    }),
    data: z.array(intervalSchema).meta({
      description: 'Oldest first, each interval by provider, without those in which nothing happened',
    }),
  })
  .meta({ id: 'Statistics' });

const example: z.infer<typeof statisticsSchema> = {
  by: 'hour',
  from: '2026-01-31T17:00:00.000Z',
  to: '2026-01-31T18:00:00.000Z',
  complete_to: '2026-01-31T17:42:00.000Z',
  data: [
    {
      ...{ at: '2026-01-31T17:00:00.000Z', provider: 'Aldeamo', sent: 1200, segments: 1260, delivered: 1150 },
      failed: [{ reason: 'phone_invalid', count: 4 }],
      accepted_ms: { p50: 180, p95: 420 },
      delivered_ms: { p50: 3100, p95: 9800 },
    },
  ],
};

interface StatisticsRouteOptions {
  store: Pick<StatisticsStore, 'readSums'>;
  isKept: boolean;
  visibility: Pick<Visibility, 'watchers'>;
}

export function registerStatistics(
  server: Server,
  { store, isKept, visibility }: StatisticsRouteOptions,
): void {
  server.get(
    '/statistics',
    {
      config: { access: visibility.watchers },
      schema: {
        tags: ['operations'],
        operationId: 'getStatistics',
        summary: 'Get how many SMS went out, how fast, and why notifications failed',
        description:
          'Each SMS is counted in the hour in which the service recorded it. Sums are kept for 400 days; replicas write theirs every ten seconds.',
        querystring: querySchema,
        response: {
          200: jsonResponse(statisticsSchema, { example }),
          ...problemResponses(paymentProblems, 'statistics-off', 'store-unavailable'),
        },
      },
    },
    async ({ query, signal }) => {
      if (!isKept) throw paymentProblem('statistics-off');
      const now = Date.now();
      const { by } = query;
      const range = rangeOf(query, now);
      const data = await readStatistics(store, { ...range, by }, signal);
      const complete_to = Math.min(range.to, now - writeEveryMs);
      const [from = '', to = '', complete = ''] = [range.from, range.to, complete_to].map((ms) =>
        new Date(ms).toISOString(),
      );
      return { by, from, to, complete_to: complete, data };
    },
  );
}

/** @throws Problem */
function rangeOf({ from: given, to: end, by }: z.output<typeof querySchema>, now: number) {
  const to = end ?? now;
  const from = given ?? Math.max(0, to - dayMs);
  if (to <= from) throw invalidRequest([{ path: 'from', message: 'must be earlier than `to`' }]);
  if (to - from > maxDays[by] * dayMs)
    throw invalidRequest([
      { path: 'from', message: `must be at most ${maxDays[by]} days before \`to\`, by ${by}` },
    ]);
  return wholeIntervals({ from, to, by });
}
