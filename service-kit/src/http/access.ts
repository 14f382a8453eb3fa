import rateLimit from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';
import { currentCorrelation } from '../telemetry/correlation.ts';
import { type Credential, findCredential } from './credentials.ts';
import { httpProblem } from './http-problems.ts';
import type { Access, Server } from './types.ts';

export interface AccessOptions extends RateLimitOptions {
  /** None: every request is allowed. */
  credentials: readonly Credential[];
}

export interface RateLimitOptions {
  /** For each client: all keys of one name, or an address if there are no keys. 0: no limit. */
  rateLimitPerMinute?: number;
}

const readingMethods = new Set(['GET', 'HEAD']);

/** The access to a route that names none. */
const adminAlone: Access = ['admin'];

/** Authentication and authorization. Called before the routes, because a hook applies to later routes. */
export function registerAccess(server: Server, { credentials }: AccessOptions): void {
  server.decorateRequest('credential', undefined);
  server.addHook('onRequest', (request, _reply, done) => {
    if (credentials.length === 0) return done();
    const access = accessTo(request);
    if (access === 'anyone') return done();
    request.credential = authenticate(request, credentials);
    const { credential, method } = request;
    if (!isAuthorized(credential, method, access))
      throw httpProblem(
        'forbidden',
        access.includes(credential.role)
          ? { detail: 'The key is read-only: it allows GET and HEAD requests alone.' }
          : undefined,
      );
    const correlation = currentCorrelation();
    if (correlation) correlation.client = request.credential.name;
    done();
  });
}

/** By the method alone if the key is read-only, so that a route that is added later is not forgotten. */
export const isAuthorized = (
  { role, isReadOnly }: Pick<Credential, 'role' | 'isReadOnly'>,
  method: string | string[],
  access: Access = adminAlone,
): boolean =>
  access === 'anyone' ||
  (access.includes(role) && (!isReadOnly || [method].flat().every((each) => readingMethods.has(each))));

const windowSeconds = 60;

/**
 * Limits the public API alone, so that it delays neither the services among themselves nor the admin. Called after the admission,
 * so that what is refused for the load of others is not counted. The headers are those of draft-ietf-httpapi-ratelimit-headers-11.
 */
export async function registerRateLimit(
  server: Server,
  { rateLimitPerMinute: max = 0 }: RateLimitOptions,
): Promise<void> {
  if (max === 0) return;
  await server.register(rateLimit, {
    global: false,
    max,
    timeWindow: windowSeconds * 1000,
    keyGenerator: ({ credential, ip }) => credential?.name ?? ip,
  });
  const takeToken = server.createRateLimit();
  server.addHook('onRequest', async (request, reply) => {
    const access = accessTo(request);
    if (access === 'anyone' || !access.includes('client') || request.credential?.role === 'admin') return;
    const limit = await takeToken(request);
    if (limit.isAllowed) return;
    reply.header('ratelimit-policy', `"default";q=${max};w=${windowSeconds}`);
    reply.header('ratelimit', `"default";r=${limit.remaining};t=${limit.ttlInSeconds}`);
    if (!limit.isExceeded) return;
    throw httpProblem('too-many-requests', {
      detail: `More than ${max} requests in a minute. Retry later.`,
      headers: { 'retry-after': String(limit.ttlInSeconds) },
    });
  });
}

/** A 404 needs no key, because /docs lists the routes to all. */
const accessTo = ({ is404, routeOptions }: FastifyRequest): Access =>
  is404 ? 'anyone' : (routeOptions.config.access ?? adminAlone);

function authenticate({ headers }: FastifyRequest, credentials: readonly Credential[]): Credential {
  const [, key] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  if (key === undefined) throw httpProblem('unauthorized');
  const credential = findCredential(credentials, key);
  if (credential) return credential;
  throw httpProblem('unauthorized', {
    detail: 'The key is unknown.',
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });
}
