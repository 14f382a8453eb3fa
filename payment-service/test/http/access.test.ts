import type { InjectOptions } from 'fastify';
import { pino } from 'pino';
import { accessOptions } from 'service-kit/http/access-settings.ts';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import { problemContentType } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import type { ProviderConfig } from 'service-kit/provider/settings.ts';
import { buildProvider, type ProviderService } from 'service-kit/provider/start-provider.ts';
import { describe, expect, onTestFinished, test } from 'vitest';
import { aldeamoService } from '../../../aldeamo-service/src/app.ts';
import { twilioService } from '../../../twilio-service/src/app.ts';
import { paymentConfigSchema } from '../../src/config.ts';
import { build, keyed, paymentOf, post } from '../fixture.ts';

const keys = {
  client: 'key-of-the-shop-1',
  rotated: 'key-of-the-shop-2',
  other: 'key-of-the-portal',
  admin: 'key-of-the-admin-1',
  service: 'token-of-the-services',
};
const settings = {
  API_KEYS: `shop:${keys.client},shop:${keys.rotated},portal:${keys.other}`,
  ADMIN_API_KEY: keys.admin,
  SERVICE_TOKEN: keys.service,
};
const access = accessOptions(readConfiguration(paymentConfigSchema, settings));
const logger = pino({ level: 'silent' });

async function closed(building: Promise<Server>): Promise<Server> {
  const app = await building;
  onTestFinished(() => app.close());
  return app;
}
const buildOf =
  <Config extends ProviderConfig>(service: ProviderService<Config>) =>
  (env = {}) => {
    const config = readConfiguration(service.configSchema, { ...settings, ...env });
    return closed(buildProvider(service, config, { logger, version: '0' }));
  };
const buildAldeamo = buildOf(aldeamoService);
const buildTwilio = buildOf(twilioService);
const live = {
  ALDEAMO_USERNAME: 'user',
  ALDEAMO_PASSWORD: 'password',
  TWILIO_ACCOUNT_SID: 'AC1',
  TWILIO_AUTH_TOKEN: 'token',
  TWILIO_FROM: '+15005550006',
  PUBLIC_URL: 'https://sms.example.com',
};

/** Who may: nobody in particular, or these. */
type Who = 'anyone' | ('client' | 'admin' | 'service')[];

const everywhere: Record<string, Who> = {
  'GET /': 'anyone',
  'GET /health': 'anyone',
  'GET /health/live': 'anyone',
  'GET /health/ready': 'anyone',
  'GET /openapi.json': 'anyone',
  'GET /docs': 'anyone',
  'GET /docs/': 'anyone',
  'GET /docs/*': 'anyone',
  'GET /docs/json': 'anyone',
  'GET /docs/yaml': 'anyone',
  'GET /docs/static/index.html': 'anyone',
  'GET /docs/static/swagger-initializer.js': 'anyone',
  'GET /metrics': ['service', 'admin'],
};
const provider: Record<string, Who> = {
  ...everywhere,
  'POST /notify': ['service'],
  'DELETE /notify': ['service'],
  'GET /health/upstream': ['service'],
};
const sandbox: Record<string, Who> = {
  ...provider,
  'POST /toggle-failure': ['admin', 'service'],
  'GET /sandbox': ['admin', 'service'],
  'POST /sandbox': ['admin', 'service'],
  'GET /sandbox/messages': ['admin', 'service'],
};

/** One table of who may. A route that is not in it fails the test, as does one that is no more. */
const services: [name: string, build: () => Promise<Server>, table: Record<string, Who>][] = [
  [
    'payment-service',
    async () => (await build({ access })).app,
    {
      ...everywhere,
      'POST /payments': ['client', 'admin'],
      'GET /payments': ['client', 'admin'],
      'GET /payments/:payment_id': ['client', 'admin'],
      'POST /payments/:payment_id/notification/retry': ['admin'],
      'PUT /customers/:customer_id': ['client', 'admin'],
      'GET /customers/:customer_id': ['client', 'admin'],
      'DELETE /customers/:customer_id': ['client', 'admin'],
      'GET /events': ['client', 'admin'],
      'GET /live/:file': 'anyone',
      'GET /live/uplot/:file': 'anyone',
      'GET /live/eventsource-parser/:file': 'anyone',
      'POST /force-recovery': ['admin'],
      'POST /reset-circuit': ['admin'],
      'POST /sandbox/:provider': ['admin'],
      'POST /receipts': ['service'],
    },
  ],
  ['aldeamo-service, a sandbox', buildAldeamo, sandbox],
  ['aldeamo-service, live', () => buildAldeamo(live), provider],
  ['twilio-service, a sandbox', buildTwilio, sandbox],
  [
    'twilio-service, live',
    () => buildTwilio(live),
    { ...provider, 'POST /webhooks/twilio/status': 'anyone' }, // signed by Twilio
  ],
];

type Asked = { method: string; url: string };

/** Without a key that is known, only a route that is open to anyone responds. */
async function expectKeyRequired(app: Server, request: Asked, who: Who): Promise<void> {
  for (const authorization of [undefined, 'Bearer', 'Bearer wrong-key-1234567', `Basic ${keys.admin}`]) {
    const label = `${request.method} ${request.url}, ${authorization}`;
    const { status, problem, challenge } = await statusOf(app, request, authorization);
    if (who === 'anyone') {
      expect(status, label).not.toBe(401); // the webhook checks its signature
      continue;
    }
    expect(status, label).toBe(401);
    expect(problem, label).toBe(request.method === 'HEAD' ? undefined : 'urn:problem:unauthorized');
    expect(challenge, label).toMatch(/^Bearer/);
  }
}

/** Each role gets in where it is authorized. The provider services know no clients, so that a client's key is unknown there. */
async function expectRolesHeld(app: Server, request: Asked, who: Who, knowsClients: boolean): Promise<void> {
  for (const key of ['client', 'rotated', 'admin', 'service'] as const) {
    const role = key === 'rotated' ? 'client' : key;
    const label = `${request.method} ${request.url}, ${key}`;
    const { status, problem, challenge } = await statusOf(app, request, `Bearer ${keys[key]}`);
    if (who === 'anyone' || who.includes(role)) {
      expect(status, label).not.toBe(401);
      expect(problem, label).not.toBe('urn:problem:forbidden');
      continue;
    }
    const isKnown = knowsClients || role !== 'client';
    expect(status, label).toBe(isKnown ? 403 : 401);
    if (isKnown) expect(challenge, label).toBe('Bearer error="insufficient_scope"');
  }
}

describe('every route', () => {
  test.each(services)('of %s lets in exactly the roles of the table', async (name, buildService, table) => {
    const app = await buildService();
    await app.ready();
    const found = routesOf(app);
    expect(found.toSorted()).toEqual(Object.keys(table).toSorted());
    for (const route of found) {
      for (const request of requestsOf(route)) {
        await expectKeyRequired(app, request, table[route] as Who);
        await expectRolesHeld(app, request, table[route] as Who, name === 'payment-service');
      }
    }
  });

  test.each(services)('%s: what is not there is not there for anybody', async (_name, buildService) => {
    const app = await buildService();
    const { statusCode } = await app.inject({ url: '/nope' });
    expect(statusCode).toBe(404);
  });

  test('without keys, all of it is for anybody', async () => {
    const { app } = await build();
    const { statusCode } = await app.inject({ method: 'POST', url: '/force-recovery' });
    expect(statusCode).toBe(200);
  });
});

describe('a client', () => {
  const as = (key: string, request: InjectOptions): InjectOptions => ({
    ...request,
    headers: { ...request.headers, authorization: `Bearer ${key}` },
  });

  test('is named in the log, and its key is not', async () => {
    const { app, lines } = await build({ access });
    const { statusCode } = await app.inject(as(keys.client, post({ amount: 1, customer_id: '1' })));
    expect(statusCode).toBe(201);
    expect(lines.find(({ msg }) => msg === 'notification handled')).toMatchObject({ client: 'shop' });
    expect(JSON.stringify(lines)).not.toContain(keys.client);
  });

  test('has idempotency keys of its own, whichever of its keys it shows', async () => {
    const { app } = await build({ access });
    const request = keyed('the-same');
    const [first, again, another] = [
      await app.inject(as(keys.client, request)),
      await app.inject(as(keys.rotated, request)),
      await app.inject(as(keys.other, request)),
    ];
    expect(paymentOf(again)).toEqual(paymentOf(first));
    expect(another.headers['idempotent-replayed']).toBeUndefined();
    expect(paymentOf(another).payment_id).not.toBe(paymentOf(first).payment_id);
  });
});

/** `METHOD /path` of all that the router knows. A HEAD goes with its GET. */
function routesOf(app: Server): string[] {
  const path: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', segment = '', methods] = /^([│ ]*)[├└]── (\S+)(?: \((.*)\))?$/.exec(line) ?? [];
      path.length = indent.length / 4;
      path.push(segment);
      const known = methods?.split(', ').filter((method) => method !== 'HEAD') ?? [];
      return known.map((method) => `${method} ${path.join('').replace(/^\/\//, '/')}`);
    });
}

function requestsOf(route: string): Asked[] {
  const [method = '', path = ''] = route.split(' ');
  const url = path.replace(':provider', 'Aldeamo').replace(/:\w+/, 'x').replace('*', 'index.css');
  return method === 'GET'
    ? [
        { method, url },
        { method: 'HEAD', url },
      ]
    : [{ method, url }];
}

async function statusOf(app: Server, request: { method: string; url: string }, authorization?: string) {
  const response = await app.inject({
    ...(request as InjectOptions),
    headers: authorization === undefined ? {} : { authorization },
    payloadAsStream: true, // the events do not end by themselves
  });
  const stream = response.stream();
  const isProblem = response.headers['content-type'] === problemContentType;
  let text = '';
  if (isProblem) for await (const chunk of stream) text += chunk;
  else stream.destroy();
  return {
    status: response.statusCode,
    problem: text ? (JSON.parse(text).type as string) : undefined,
    challenge: response.headers['www-authenticate'],
  };
}
