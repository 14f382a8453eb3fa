import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { Notifier } from '../delivery/notifier.ts';
import { providerReportSchema } from '../providers/circuit-report.ts';

const operations = [
  ['/force-recovery', 'forceRecovery'],
  ['/reset-circuit', 'resetCircuit'],
] as const;

/** Two paths of one operation, because scripts use both. It closes the circuit only if the provider is healthy. */
export function registerCircuit(server: Server, notifier: Notifier): void {
  for (const [path, operationId] of operations) {
    server.post(
      path,
      {
        config: { access: ['admin'] },
        schema: {
          operationId,
          tags: ['circuit'],
          summary: 'Check Aldeamo now, and close its circuit if it is healthy',
          response: {
            200: z.object({ status: z.literal('closed'), circuit: providerReportSchema }),
            503: problemResponse('Aldeamo is not healthy; its circuit is unchanged'),
          },
        },
      },
      async () => {
        if (!(await notifier.recover())) {
          throw new Problem(503, 'provider-unhealthy', 'Aldeamo is not healthy. Its circuit is unchanged.');
        }
        return { status: 'closed' as const, circuit: notifier.report().Aldeamo };
      },
    );
  }
}
