import type { Country } from 'service-kit/contract/phone.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { ControlsFollower } from '../delivery/follow-controls.ts';
import type { Notifier } from '../delivery/notifier.ts';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { reasonBodySchema } from '../domain/operator-reason.ts';
import { providerReportSchema } from '../providers/circuit-report.ts';
import { StoreUnavailable } from '../store/store.ts';

const operations = [
  ['/force-recovery', 'forceRecovery'],
  ['/reset-circuit', 'resetCircuit'],
] as const;

interface CircuitOptions {
  notifier: Notifier;
  controls: Pick<ControlsFollower, 'requestRecovery'>;
  defaultCountry: Country;
}

/** Two paths of one operation, because scripts use both. It closes the circuit only if the provider is healthy. */
export function registerCircuit(
  server: Server,
  { notifier, controls, defaultCountry }: CircuitOptions,
): void {
  for (const [path, operationId] of operations) {
    server.post(
      path,
      {
        config: { access: ['admin'] },
        schema: {
          operationId,
          tags: ['circuit'],
          summary: 'Check Aldeamo now, and close its circuit if it is healthy',
          description:
            'The replica that responds has done so. The others then do the same within five seconds, each by a check of its own.',
          body: reasonBodySchema(defaultCountry),
          response: {
            200: z.object({ status: z.literal('closed'), circuit: providerReportSchema }),
            ...problemResponses(paymentProblems, 'provider-unhealthy', 'store-unavailable'),
          },
        },
      },
      async ({ body, credential, log }) => {
        const isHealthy = await notifier.recover();
        const fields = { by: credential?.name ?? null, reason: body?.reason ?? null };
        log.info({ provider: 'Aldeamo', ...fields, is_healthy: isHealthy }, 'recovery requested');
        if (!isHealthy) throw paymentProblem('provider-unhealthy');
        await controls.requestRecovery().catch(explainHalf);
        return { status: 'closed' as const, circuit: notifier.report().Aldeamo };
      },
    );
  }
}

function explainHalf(error: unknown): never {
  if (!(error instanceof StoreUnavailable)) throw error;
  throw paymentProblem('store-unavailable', {
    detail:
      'The circuit of this replica is closed. The store is unavailable, so that other replicas may not check theirs. Retry soon.',
  });
}
