import { METHODS } from 'node:http';
import type { FastifyRequest } from 'fastify';
import createRouter, { type HTTPMethod } from 'find-my-way';
import { httpProblem } from './http-problems.ts';
import type { Problem } from './problem.ts';
import type { Server } from './types.ts';

/** Returns the methods that a path has. */
export type MethodsOf = (path: string) => string[];

/** Called before the routes, because it knows later ones alone. `maxParamLength` is the server's. */
export function collectRoutes(server: Server, maxParamLength: number): MethodsOf {
  // A second router of the kind that Fastify has, because Fastify's does not find the routes of another method.
  const router = createRouter({ maxParamLength });
  server.addHook('onRoute', ({ method, url, prefix, routePath }) => {
    // Fastify adds the second of these for a plugin without saying so.
    const paths = prefix && routePath === '' ? [url, `${url}/`] : [url];
    for (const path of paths)
      for (const each of [method].flat() as HTTPMethod[])
        if (!router.hasRoute(each, path)) router.on(each, path, () => {});
  });
  return (path) => METHODS.filter((method) => router.find(method as HTTPMethod, path));
}

/**
 * Refuses a request without a route before its body is read: 405 with `Allow` if its path has other methods (RFC 9110 section
 * 15.5.6), else 404.
 */
export function refuseUnknownRoutes(server: Server, methodsOf: MethodsOf): void {
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.is404) throw unknownRoute(request, methodsOf);
    done();
  });
  // For a route that has no such file.
  server.setNotFoundHandler((request) => {
    throw notFound(request);
  });
}

function unknownRoute(request: FastifyRequest, methodsOf: MethodsOf): Problem {
  const path = pathOf(request);
  const allow = path === '*' ? '' : methodsOf(path).join(', ');
  return allow
    ? httpProblem('method-not-allowed', {
        detail: `This path supports only ${allow}.`,
        headers: { allow },
      })
    : notFound(request);
}

const pathOf = ({ url }: FastifyRequest) => url.split('?', 1)[0] ?? '';

const notFound = (request: FastifyRequest) =>
  httpProblem('not-found', { detail: `There is no ${request.method} ${pathOf(request)} here.` });
