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
import { build, keyed, paymentOf, post, resend } from '../fixture.ts';
import { paymentNumber } from '../store/store-contract.ts';
import { routesOf } from './routes.ts';

const keys = {
  client: 'key-of-the-shop-1',
  rotated: 'key-of-the-shop-2',
  other: 'key-of-the-portal',
  reader: 'key-of-the-reader',
  admin: 'key-of-the-admin-1',
  operator: 'key-of-operator-1',
  service: 'token-of-the-services',
  nextService: 'next-token-of-services',
};
const settings = {
  API_KEYS: `shop:${keys.client},shop:${keys.rotated},portal:${keys.other},portal:${keys.reader}:read`,
  ADMIN_API_KEY: `admin:${keys.admin},maria:${keys.operator}`,
  SERVICE_TOKEN: `${keys.service},${keys.nextService}`,
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
  TWILIO_ACCOUNT_SID: `AC${'0123456789abcdef'.repeat(2)}`,
  TWILIO_AUTH_TOKEN: '0123456789abcdef'.repeat(2),
  TWILIO_FROM: '+15005550006',
  PUBLIC_URL: 'https://sms.pagos.co',
};

/** What calls: a reader is a client whose key is read-only. */
type Caller = 'reader' | 'client' | 'admin' | 'service';

/** The callers that a route authorizes. */
type Authorized = 'anyone' | Caller[];

/** The keys in each caller's hands. */
const keysOf: Record<Caller, string[]> = {
  reader: [keys.reader],
  client: [keys.client, keys.rotated, keys.other],
  admin: [keys.admin, keys.operator],
  service: [keys.service, keys.nextService],
};

const everywhere: Record<string, Authorized> = {
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
  'GET /problems/:name': 'anyone',
  'GET /metrics': ['service', 'admin'],
};
const provider: Record<string, Authorized> = {
  ...everywhere,
  'POST /notify': ['service'],
  'GET /messages/:message_id': ['service', 'admin'],
  'DELETE /notify': ['service'],
  'GET /health/upstream': ['service'],
};
const sandbox: Record<string, Authorized> = {
  ...provider,
  'POST /toggle-failure': ['admin', 'service'],
  'GET /sandbox': ['admin', 'service'],
  'POST /sandbox': ['admin', 'service'],
  'GET /sandbox/messages': ['admin', 'service'],
};

/** Each route with the roles that it authorizes. A route that is missing here fails the test, as does one that no longer exists. */
const services: [name: string, build: () => Promise<Server>, table: Record<string, Authorized>][] = [
  [
    'payment-service',
    async () => (await build({ access })).app,
    {
      ...everywhere,
      'POST /payments': ['client', 'admin'],
      'GET /payments': ['reader', 'client', 'admin'],
      'GET /payments/:payment_id': ['reader', 'client', 'admin'],
      'POST /payments/:payment_id/notification/resend': ['admin'],
      'POST /payments/:payment_id/notification/cancel': ['admin'],
      'POST /notifications/retry': ['admin'],
      'PUT /customers/:customer_id': ['client', 'admin'],
      'GET /customers/:customer_id': ['reader', 'client', 'admin'],
      'DELETE /customers/:customer_id': ['client', 'admin'],
      'POST /customers/:customer_id/erasure': ['admin'],
      'GET /customers/:customer_id/data': ['admin'],
      'POST /suppressions': ['admin'],
      'POST /suppressions/search': ['admin'],
      'GET /suppressions': ['admin'],
      'GET /suppressions/:suppression_id': ['admin'],
      'DELETE /suppressions/:suppression_id': ['admin'],
      'POST /opt-outs': ['service'],
      'GET /events': ['reader', 'client', 'admin'],
      'GET /webhook-deliveries': ['admin'],
      'POST /webhook-deliveries/replay': ['admin'],
      'POST /webhook-deliveries/:event_id/replay': ['admin'],
      'GET /history': ['reader', 'client', 'admin'],
      'GET /statistics': ['reader', 'client', 'admin'],
      'GET /live/events': ['reader', 'client', 'admin'],
      'GET /live': 'anyone',
      'GET /live/:file': 'anyone',
      'GET /live/find/:file': 'anyone',
      'GET /live/uplot/:file': 'anyone',
      'GET /live/eventsource-parser/:file': 'anyone',
      'POST /force-recovery': ['admin'],
      'POST /reset-circuit': ['admin'],
      'PUT /providers/:provider/hold': ['admin'],
      'DELETE /providers/:provider/hold': ['admin'],
      'GET /providers': ['reader', 'client', 'admin'],
      'GET /me': ['reader', 'client', 'admin', 'service'],
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
    // Signed by Twilio.
    {
      ...provider,
      'POST /webhooks/twilio/status': 'anyone',
      'POST /webhooks/twilio/inbound': 'anyone',
    },
  ],
];

type RouteRequest = { method: string; url: string };

/** Without a valid key, only a route that is open to anyone may respond with anything but 401. */
async function expectKeyRequired(app: Server, request: RouteRequest, authorized: Authorized): Promise<void> {
  for (const authorization of [undefined, 'Bearer', 'Bearer wrong-key-1234567', `Basic ${keys.admin}`]) {
    const label = `${request.method} ${request.url}, ${authorization}`;
    const { status, problem, challenge } = await statusOf(app, request, authorization);
    if (authorized === 'anyone') {
      expect(status, label).not.toBe(401); // the webhook checks its signature
      continue;
    }
    expect(status, label).toBe(401);
    expect(problem, label).toBe(request.method === 'HEAD' ? undefined : '/problems/unauthorized');
    expect(challenge, label).toMatch(/^Bearer/);
  }
}

/** Each caller is admitted where it is authorized. The provider services have no client keys, so a client is not authenticated there. */
async function expectRolesAuthorized(
  app: Server,
  request: RouteRequest,
  authorized: Authorized,
  hasClientKeys: boolean,
): Promise<void> {
  const callers = Object.entries(keysOf).flatMap(([caller, its]) => its.map((key) => ({ caller, key })));
  for (const { caller, key } of callers) {
    const label = `${request.method} ${request.url}, ${caller}, ${key}`;
    const { status, problem, challenge } = await statusOf(app, request, `Bearer ${key}`);
    if (authorized === 'anyone' || authorized.includes(caller as Caller)) {
      expect(status, label).not.toBe(401);
      expect(problem, label).not.toBe('/problems/forbidden');
      continue;
    }
    const isAuthenticated = hasClientKeys || (caller !== 'client' && caller !== 'reader');
    expect(status, label).toBe(isAuthenticated ? 403 : 401);
    if (isAuthenticated) expect(challenge, label).toBe('Bearer error="insufficient_scope"');
  }
}

describe('the authorization', () => {
  test.each(
    services,
  )('given %s, admits exactly the callers of the table', async (name, buildService, table) => {
    const app = await buildService();
    await app.ready();
    const found = routesOf(app);
    expect(found.toSorted()).toEqual(Object.keys(table).toSorted());
    for (const route of found) {
      for (const request of requestsOf(route)) {
        await expectKeyRequired(app, request, table[route] as Authorized);
        await expectRolesAuthorized(app, request, table[route] as Authorized, name === 'payment-service');
      }
    }
  });

  test.each(services)('given %s, lets an unknown path respond 404', async (_name, buildService) => {
    const app = await buildService();
    const { statusCode } = await app.inject({ url: '/nope' });
    expect(statusCode).toBe(404);
  });

  test('given no configured keys, admits every request', async () => {
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

  test('is logged by name, without its key', async () => {
    const { app, lines } = await build({ access });
    const { statusCode } = await app.inject(as(keys.client, post({ amount: 1, customer_id: '1' })));
    expect(statusCode).toBe(201);
    expect(lines.find(({ msg }) => msg === 'notification handled')).toMatchObject({ client: 'shop' });
    expect(JSON.stringify(lines)).not.toContain(keys.client);
  });

  test('given a read-only key, reads the payments and makes none', async () => {
    const { app, calls } = await build({ access });
    const refused = await app.inject(as(keys.reader, keyed('key-1')));
    expect(refused.statusCode).toBe(403);
    expect(refused.json()).toMatchObject({ detail: expect.stringContaining('The key is read-only') });
    expect(calls).toEqual([]);
    expect((await app.inject(as(keys.reader, { url: '/payments' }))).statusCode).toBe(200);
  });

  test('given two API keys, shares its idempotency keys between them, and with no other client', async () => {
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

test('given an operator with a name, the log has the name with what the operator did', async () => {
  const { app, lines } = await build({ access });
  const headers = { authorization: `Bearer ${keys.operator}` };
  const { statusCode } = await app.inject({
    ...post({ amount: 1, customer_id: '1' }),
    headers: { ...headers, 'content-type': 'application/json' },
  });
  expect(statusCode).toBe(201);
  expect(lines.find(({ msg }) => msg === 'notification handled')).toMatchObject({ client: 'maria' });
});

test('given two operators, the actions have their names, and the Idempotency-Key of one is not that of the other', async () => {
  const { app, store, calls } = await build({ access });
  const payment = paymentNumber(1, { notification_status: 'sent' });
  await store.insert(payment);
  const resendAs = async (key: string) =>
    app.inject(
      resend(payment.payment_id, {}, { authorization: `Bearer ${key}`, 'idempotency-key': 'press-1' }),
    );
  for (const key of [keys.admin, keys.operator, keys.operator])
    expect((await resendAs(key)).statusCode).toBe(200);
  const found = await store.find(payment.payment_id);
  expect(found?.actions.map(({ by }) => by)).toEqual(['admin', 'maria']);
  expect(calls).toHaveLength(2);
});

function requestsOf(route: string): RouteRequest[] {
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
    payloadAsStream: true, // because the stream of events never ends
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
