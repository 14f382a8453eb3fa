import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Server } from '../../http/types.ts';
import { problemOfOutcome } from '../outcome-reply.ts';
import type { Fault } from './faults.ts';
import type { Sandbox } from './sandbox.ts';

declare module 'fastify' {
  interface FastifyRequest {
    fault: Fault | undefined;
  }
}

/** The check is among them, so that it finds what a send would find. */
const exposedRoutes = ['POST /notify', 'GET /health/upstream'];

/** Injects faults before a request is handled, or into its reply. Called before the routes: a hook applies to later routes. */
export function registerFaultInjection(server: Server, sandbox: Sandbox): void {
  server.decorateRequest('fault', undefined);

  server.addHook('preHandler', async (request, reply) => {
    if (!exposedRoutes.includes(`${request.method} ${request.routeOptions.url}`)) return;
    const { slow_ms, retry_after_s } = sandbox.settings;
    request.fault = sandbox.nextFault();
    switch (request.fault) {
      case 'slow':
        await delay(slow_ms);
        return;
      case 'hang':
        reply.hijack(); // and never replied to
        return;
      case 'cut_before':
        cut(request, reply);
        return;
      case 'throttle':
        throw problemOfOutcome({
          outcome: 'not_sent',
          reason: 'sandbox_throttled',
          retry_after_ms: retry_after_s * 1000,
          mode: 'sandbox',
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
