import rateLimit from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';
import { currentCorrelation } from '../telemetry/correlation.ts';
import { type Credential, findCredential } from './credentials.ts';
import { Problem } from './problem.ts';
import type { Access, Server } from './types.ts';

export interface AccessOptions {
  /** None: anybody may ask anything. */
  credentials: readonly Credential[];
  /** For each key, or each address where there are none; 0: no limit. */
  rateLimitPerMinute?: number;
}

/** To be called before the routes: a hook is for the routes after it. */
export async function registerAccess(
  server: Server,
  { credentials, rateLimitPerMinute = 0 }: AccessOptions,
): Promise<void> {
  server.decorateRequest('credential', undefined);
  server.addHook('onRequest', (request, _reply, done) => {
    if (credentials.length === 0) return done();
    const access = accessTo(request);
    if (access === 'anyone') return done();
    request.credential = authenticate(request, credentials);
    if (!access.includes(request.credential.role)) throw forbidden();
    const correlation = currentCorrelation();
    if (correlation) correlation.client = request.credential.name;
    done();
  });
  if (rateLimitPerMinute > 0) await registerRateLimit(server, rateLimitPerMinute);
}

/** Of the public API alone: the services among themselves, and the admin, are not to be held up. */
async function registerRateLimit(server: Server, max: number): Promise<void> {
  await server.register(rateLimit, {
    global: false,
    max,
    timeWindow: '1 minute',
    keyGenerator: ({ credential, ip }) => credential?.digest.toString('base64') ?? ip,
  });
  const ask = server.createRateLimit();
  server.addHook('onRequest', async (request) => {
    const access = accessTo(request);
    if (access === 'anyone' || !access.includes('client') || request.credential?.role === 'admin') return;
    const limit = await ask(request);
    if (limit.isAllowed || !limit.isExceeded) return;
    throw new Problem(429, 'too-many-requests', `More than ${max} requests in a minute. Ask again later.`, {
      headers: { 'retry-after': String(limit.ttlInSeconds) },
    });
  });
}

/** Whoever asks for what is not there may hear so: what there is stands in /docs. */
const accessTo = ({ is404, routeOptions }: FastifyRequest): Access =>
  is404 ? 'anyone' : (routeOptions.config.access ?? ['admin']);

function authenticate({ headers }: FastifyRequest, credentials: readonly Credential[]): Credential {
  const [, key] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  if (key === undefined) {
    throw new Problem(401, 'unauthorized', 'Send a key, as Authorization: Bearer <key>.', {
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
  const credential = findCredential(credentials, key);
  if (credential) return credential;
  throw new Problem(401, 'unauthorized', 'This key is not known here.', {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });
}

const forbidden = () =>
  new Problem(403, 'forbidden', 'This key is not for this request.', {
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' },
  });
