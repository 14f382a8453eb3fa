import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';
import type { Server } from './types.ts';

/**
 * For answers that are read by programs: a browser that is made to show one is to do nothing with it. A route that
 * answers something else says so itself.
 */
export function registerSecurityHeaders(server: Server): void {
  const headers = { ...helmetHeaders(), 'cache-control': 'no-store' };
  server.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}

/**
 * They are the same for each answer. @fastify/helmet builds them anew for each, which costs as much as routing does. Left out is
 * what says something only of a page, or only to browsers that are gone: each header costs whoever writes and reads it.
 */
function helmetHeaders(): Record<string, unknown> {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  const setHeaders = helmet({
    strictTransportSecurity: false, // for whoever terminates TLS to say, of their own domain
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
    xFrameOptions: { action: 'deny' },
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
  });
  setHeaders(request, response, () => {});
  return response.getHeaders();
}
