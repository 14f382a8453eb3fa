import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { Notifier } from '../delivery/notifier.ts';
import { circuitStates } from '../providers/circuit-breaker.ts';

export const circuitReportSchema = z.object({
  state: z.enum(circuitStates),
  since: z.iso.datetime().meta({ description: 'When it came into this state' }),
  reason: z
    .string()
    .meta({ description: 'Why it did', example: '3 failures in a row, the last: connection_refused' }),
  consecutive_failures: z.number().int(),
  calls: z.number().int().meta({ description: 'Calls in the rolling window' }),
  failures: z.number().int().meta({ description: 'How many of them failed' }),
  next_probe_at: z.iso.datetime().nullable(),
  throttled_until: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'Until when the provider asked to be left alone' }),
});

/** Two names for one thing, both known to people's scripts: nobody closes a circuit to a provider that is not well. */
export function registerCircuit(server: Server, notifier: Notifier): void {
  for (const path of ['/force-recovery', '/reset-circuit']) {
    server.post(
      path,
      {
        config: { access: ['admin'] },
        schema: {
          tags: ['circuit'],
          summary: 'Ask Aldeamo now, and close its circuit if it is well',
          response: {
            200: z.object({ status: z.literal('closed'), circuit_breaker: circuitReportSchema }),
            503: problemResponse('Aldeamo is not well, and its circuit is left as it was'),
          },
        },
      },
      async () => {
        if (!(await notifier.recover())) {
          throw new Problem(503, 'provider-unhealthy', 'Aldeamo is not well. Its circuit is left as it was.');
        }
        return { status: 'closed' as const, circuit_breaker: notifier.report().Aldeamo };
      },
    );
  }
}
