import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyReply } from 'fastify';
import type { Page } from 'service-kit/http/root-route.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';

const folder = fileURLToPath(new URL('./page/', import.meta.url));
const require = createRequire(import.meta.url);

/** The served folders by path. The packages publish files for browsers, so nothing is built. */
const served = [
  { prefix: '/live/', root: folder, files: /^[a-z-]+\.(js|css)$/ },
  { prefix: '/live/find/', root: `${folder}find/`, files: /^[a-z-]+\.(js|css)$/ },
  { prefix: '/live/uplot/', root: dirname(require.resolve('uplot')), files: /^uPlot\.(esm\.js|min\.css)$/ },
  {
    prefix: '/live/eventsource-parser/',
    root: dirname(require.resolve('eventsource-parser')),
    files: /^[a-z]+\.js$/,
  },
];

/** Only own scripts and styles run, so injected markup is inert. */
const headers = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache', // revalidated each time (304), so that a new release is loaded at once
};

/** The page of GET / and GET /live. It contains no data: it requests the events like any other client. */
export function createLivePage(): Page {
  const html = readFileSync(`${folder}index.html`, 'utf8');
  return (reply: FastifyReply) => reply.headers(headers).type('text/html; charset=utf-8').send(html);
}

/** The page with a search or a payment in its URL, which its scripts read, and its scripts and styles. */
export async function registerLivePageFiles(server: Server): Promise<void> {
  await server.register(fastifyStatic, { serve: false });
  const page = createLivePage();
  server.get(
    '/live',
    { config: { access: 'anyone', acceptsAnyQuery: true }, schema: { hide: true } },
    (_request, reply) => page(reply),
  );
  for (const { prefix, root, files } of served) {
    server.get(
      `${prefix}:file`,
      {
        config: { access: 'anyone' },
        schema: { hide: true, params: z.object({ file: z.string() }) },
      },
      ({ params: { file } }, reply) => {
        if (!files.test(file)) return reply.callNotFound();
        return reply.headers(headers).sendFile(file, root, { cacheControl: false });
      },
    );
  }
}
