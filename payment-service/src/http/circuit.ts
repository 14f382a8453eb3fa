import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { Notifier } from '../delivery/notifier.ts';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
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
            ...problemResponses(paymentProblems, 'provider-unhealthy'),
          },
        },
      },
      async () => {
        if (!(await notifier.recover())) throw paymentProblem('provider-unhealthy');
        return { status: 'closed' as const, circuit: notifier.report().Aldeamo };
      },
    );
  }
}
