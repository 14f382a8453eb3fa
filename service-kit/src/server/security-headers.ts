import helmet from '@fastify/helmet';
import type { Server } from './server.ts';

/** For answers that are read by programs: a browser that is made to show one is to do nothing with it. */
export async function registerSecurityHeaders(server: Server): Promise<void> {
  await server.register(helmet, {
    strictTransportSecurity: false, // for whoever terminates TLS to say, of their own domain
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
  server.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
}
