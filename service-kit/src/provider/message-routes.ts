import { z } from 'zod';
import { idSchema, messageReportSchema, type Provider } from '../contract/notification.ts';
import { withDeadline } from '../deadline.ts';
import { Problem, problemResponse } from '../http/problem.ts';
import type { Server } from '../http/types.ts';
import type { Found, Gateway } from './gateway.ts';
import { gatewayTimeout } from './outcome-reply.ts';

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
          403: problemResponse('The provider refuses to be asked, whatever the message; see `reason`'),
          404: problemResponse(
            '`message-unknown`: the provider has no such message. `receipts-unavailable`: it cannot be asked',
          ),
          502: problemResponse('The provider gave no answer that can be read; see `reason`'),
          504: problemResponse('The provider did not answer in time'),
        },
      },
    },
    async ({ params: { message_id }, log }) => {
      if (!gateway.find)
        throw new Problem(404, 'receipts-unavailable', `${provider} cannot be asked what became of an SMS.`);
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
      return new Problem(404, 'message-unknown', `${provider} has no message with this id.`);
    case 'forbidden':
      return new Problem(403, 'messages-forbidden', `${provider} refuses to be asked.`, {
        reason: answer.reason,
      });
    case 'unanswered': {
      const { reason } = answer;
      const isLate = reason === late.reason || reason === 'deadline_passed';
      return new Problem(isLate ? 504 : 502, 'message-unanswered', `${provider} did not answer.`, { reason });
    }
  }
}
