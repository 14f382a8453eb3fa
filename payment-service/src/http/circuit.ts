import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { Notifier } from '../delivery/notifier.ts';
import { providerReportSchema } from '../providers/circuit-report.ts';

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
            200: z.object({ status: z.literal('closed'), circuit_breaker: providerReportSchema }),
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
