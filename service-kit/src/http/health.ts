import { z } from 'zod';
import { httpProblem, httpProblems } from './http-problems.ts';
import { problemResponses } from './problem.ts';
import type { Server } from './types.ts';

/** Of GET /health. */
export const versionSchema = z.string().meta({ description: 'The release of the service', example: '0.1.0' });

/** For an orchestrator: `live` (else it restarts the process) and `ready` (else it routes no requests to it). */
export function registerHealth(server: Server, ready: () => Promise<void> = async () => {}): void {
  server.get(
    '/health/live',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        operationId: 'checkLive',
        summary: 'Check whether the process is running',
        response: { 200: z.object({ status: z.literal('live') }) },
      },
    },
    async () => ({ status: 'live' as const }),
  );
  server.get(
    '/health/ready',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        operationId: 'checkReady',
        summary: 'Check whether the service is ready',
        response: {
          200: z.object({ status: z.literal('ready') }),
          ...problemResponses(httpProblems, 'not-ready'),
        },
      },
    },
    async (request) => {
      try {
        await ready();
      } catch (error) {
        request.log.warn({ err: error }, 'not ready');
        throw httpProblem('not-ready');
      }
      return { status: 'ready' as const };
    },
  );
}
