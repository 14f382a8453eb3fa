import { z } from 'zod';
import { idSchema, messageReportSchema, type Provider } from '../contract/notification.ts';
import { withDeadline } from '../deadline.ts';
import { type Problem, problemResponses } from '../http/problem.ts';
import type { Server } from '../http/types.ts';
import type { Found, Gateway } from './gateway.ts';
import { gatewayTimeout } from './outcome-reply.ts';
import { providerProblem, providerProblems } from './provider-problems.ts';

interface MessageRoutesOptions {
  provider: Provider;
  gateway: Gateway;
  gatewayTimeoutMs: number;
}

const late = { found: 'unanswered', reason: gatewayTimeout.reason } as const satisfies Found;

/** The provider's answer counts at the time of the question: nothing is stored. */
export function registerMessageRoutes(
  server: Server,
  { provider, gateway, gatewayTimeoutMs }: MessageRoutesOptions,
): void {
  server.get(
    '/messages/:message_id',
    {
      config: { access: ['service', 'admin'] },
      schema: {
        tags: ['notifications'],
        operationId: 'getMessage',
        summary: `Ask ${provider} what became of an SMS that it accepted`,
        params: z.object({ message_id: idSchema }),
        response: {
          200: messageReportSchema,
          ...problemResponses(
            providerProblems,
            'messages-forbidden',
            'message-not-found',
            'receipts-unavailable',
            'message-unanswered',
            'message-timeout',
          ),
        },
      },
    },
    async ({ params: { message_id }, log }) => {
      if (!gateway.find)
        throw providerProblem('receipts-unavailable', {
          detail: `${provider} cannot be asked what became of an SMS.`,
        });
      const started = performance.now();
      const answer = await withDeadline(gatewayTimeoutMs, gateway.find(message_id), () => late);
      const duration_ms = Math.round(performance.now() - started);
      log.info({ provider, message_id, duration_ms, ...answer }, 'message looked up');
      if (answer.found !== 'report') throw problemOf(provider, answer);
      const { found: _found, ...report } = answer;
      return { provider, message_id, ...report };
    },
  );
}

function problemOf(provider: Provider, answer: Exclude<Found, { found: 'report' }>): Problem {
  switch (answer.found) {
    case 'unknown_message':
      return providerProblem('message-not-found', { detail: `${provider} has no message with this id.` });
    case 'forbidden':
      return providerProblem('messages-forbidden', {
        detail: `${provider} refuses to be asked.`,
        reason: answer.reason,
      });
    case 'unanswered': {
      const { reason } = answer;
      const isLate = reason === late.reason || reason === 'deadline_passed';
      return isLate
        ? providerProblem('message-timeout', { detail: `${provider} did not answer in time.`, reason })
        : providerProblem('message-unanswered', { detail: `${provider} did not answer.`, reason });
    }
  }
}
