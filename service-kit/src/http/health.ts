import { z } from 'zod';
import { Problem, problemResponse } from './problem.ts';
import type { Server } from './types.ts';

/** The two questions of an orchestrator: is the process alive (else restart it), can it do its job (else spare it). */
export function registerHealth(server: Server, ready: () => Promise<void> = async () => {}): void {
  server.get(
    '/health/live',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        summary: 'The process runs',
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
        summary: 'It can do its job',
        response: {
          200: z.object({ status: z.literal('ready') }),
          503: problemResponse('It can not, or it is stopping'),
        },
      },
    },
    async (request) => {
      try {
        await ready();
      } catch (error) {
        request.log.warn({ err: error }, 'not ready');
        throw new Problem(503, 'not-ready', 'This service can not do its job now.');
      }
      return { status: 'ready' as const };
    },
  );
}
