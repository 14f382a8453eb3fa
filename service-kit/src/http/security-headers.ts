import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';
import type { Server } from './types.ts';

/**
 * For responses to programs: a browser that is made to show one must do nothing with it. A route that serves a page sets its
 * own.
 */
export function registerSecurityHeaders(server: Server): void {
  const headers = { ...helmetHeaders(), 'cache-control': 'no-store' };
  server.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}

/**
 * Computed once, because they are the same for each response: @fastify/helmet builds them anew each time, which costs as much as
 * routing. Without the headers that matter to pages or to obsolete browsers alone, because each costs time to write and read.
 */
function helmetHeaders(): Record<string, unknown> {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  const setHeaders = helmet({
    strictTransportSecurity: false, // set by the proxy that terminates TLS, for its own domain
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
