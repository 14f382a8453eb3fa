import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Fault } from '../../contract/sandbox-settings.ts';
import type { Server } from '../../http/types.ts';
import { problemOfOutcome } from '../outcome-reply.ts';
import type { Sandbox } from './sandbox.ts';

declare module 'fastify' {
  interface FastifyRequest {
    fault: Fault | undefined;
  }
}

/** The routes whose requests can meet a fault: a check finds what a send would find. */
const exposed = ['POST /notify', 'GET /health/upstream'];

/** Lets what can befall a request between two services befall it: before it is handled, or on the way back. */
export function registerFaults(server: Server, sandbox: Sandbox): void {
  server.decorateRequest('fault', undefined);

  server.addHook('preHandler', async (request, reply) => {
    if (!exposed.includes(`${request.method} ${request.routeOptions.url}`)) return;
    const { slow_ms, retry_after_s } = sandbox.settings;
    request.fault = sandbox.nextFault();
    switch (request.fault) {
      case 'slow':
        await delay(slow_ms);
        return;
      case 'hang':
        reply.hijack(); // and never come back to it
        return;
      case 'cut_before':
        cut(request, reply);
        return;
      case 'throttle':
        throw problemOfOutcome({
          outcome: 'not_sent',
          reason: 'sandbox_throttled',
          retry_after_ms: retry_after_s * 1000,
        });
    }
  });

  server.addHook('onSend', async (request, reply, payload) => {
    switch (request.fault) {
      case 'late':
        await delay(sandbox.settings.late_ms);
        return payload;
      case 'cut_after':
        cut(request, reply);
        return payload;
      case 'garbage':
        reply.code(200).removeHeader('content-length');
        return '{"provider": "Ald';
      default:
        return payload;
    }
  });
}

function cut(request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  request.raw.socket.destroy();
}
