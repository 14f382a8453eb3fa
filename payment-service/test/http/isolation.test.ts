import type { InjectOptions } from 'fastify';
import { accessOptions } from 'service-kit/http/access-settings.ts';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import type { Server } from 'service-kit/http/types.ts';
import { describe, expect, test } from 'vitest';
import { paymentConfigSchema } from '../../src/config.ts';
import type { Payment } from '../../src/domain/payment.ts';
import { body, build, keyed, type Response } from '../fixture.ts';
import { customer } from '../store/customer.ts';
import { paymentNumber, recordOf } from '../store/store-contract.ts';
import { routesOf } from './routes.ts';

const keys = {
  shop: 'key-of-the-shop-1',
  portal: 'key-of-the-portal',
  reader: 'key-that-reads-of-the-shop',
  admin: 'key-of-the-admin-1',
  service: 'token-of-the-services',
};
const access = accessOptions(
  readConfiguration(paymentConfigSchema, {
    API_KEYS: `shop:${keys.shop},portal:${keys.portal},shop:${keys.reader}:read`,
    ADMIN_API_KEY: `ana:${keys.admin}`,
    SERVICE_TOKEN: keys.service,
  }),
);

/** In the order of the cells of a row. `reader` is a read-only key of the shop. */
const requesters = ['shop', 'portal', 'reader', 'admin', 'service', 'anonymous'] as const;
type Requester = (typeof requesters)[number];
/** The clients that have made a payment. Those from before have no client. */
const owners = ['shop', 'portal', 'before'] as const;
type Owner = (typeof owners)[number];

const clientOf = (owner: Owner) => (owner === 'before' ? null : owner);
const paymentOf = (owner: Owner): Payment =>
  paymentNumber(owners.indexOf(owner) + 1, {
    ...{ client: clientOf(owner), customer_id: `of-${owner}` },
    ...{ notification_status: 'held', reason: 'phone_unknown' },
    updated_at: new Date().toISOString(), // an older event would be deleted after its retention
  });
const idOf = (owner: Owner) => paymentOf(owner).payment_id;
const phone = '+573001234567';

/** An app whose store has a payment, its event, an idempotency key and a customer of each owner. */
async function open(clientsIsolated: boolean): Promise<Server> {
  const { app, store } = await build({
    access,
    clientsIsolated,
    events: { recording: 'feed' },
    keepsRecords: true,
  });
  for (const owner of owners) {
    const scope = owner === 'before' ? '' : `${owner}:`;
    await store.insert(paymentOf(owner), recordOf(`${scope}key-of-${owner}`, paymentOf(owner)));
    await store.putPhone(customer(`of-${owner}`, clientOf(owner)), phone);
  }
  return app;
}

const as = (requester: Requester, request: InjectOptions): InjectOptions =>
  requester === 'anonymous'
    ? request
    : { ...request, headers: { ...request.headers, authorization: `Bearer ${keys[requester]}` } };

/**
 * What a row says of a response: `seen` if it shows or changes what is the owner's, `hidden` if it is as if that were not there, or
 * the status of a refusal.
 */
interface Probe {
  request: (owner: Owner) => InjectOptions;
  isSeen: (response: Response, owner: Owner) => boolean;
  isolated: Record<Owner, string>;
  shared: Record<Owner, string>;
}

const each = (row: string): Record<Owner, string> => ({ shop: row, portal: row, before: row });
const isFound = ({ statusCode }: Response) => statusCode < 300;
const listsIt = (response: Response, owner: Owner) => response.json().data.some(isOf(owner));
const isOf = (owner: Owner) => (item: { payment_id?: string; data?: { payment_id: string } }) =>
  (item.data ?? item).payment_id === idOf(owner);

//          shop   portal reader admin  service anonymous
const reads = {
  isolated: {
    shop: ' seen   hidden seen   seen   403 401',
    portal: 'hidden seen   hidden seen   403 401',
    before: 'hidden hidden hidden seen   403 401',
  },
  shared: each('seen seen seen seen 403 401'),
};
const cursors = {
  isolated: {
    shop: ' seen 400  seen seen 403 401',
    portal: '400  seen 400  seen 403 401',
    before: '400  400  400  seen 403 401',
  },
  shared: reads.shared,
};
/** An admin has customers of its own, and names the client of another one. */
const customers = {
  read: {
    isolated: {
      shop: ' seen   hidden seen   hidden 403 401',
      portal: 'hidden seen   hidden hidden 403 401',
      before: 'hidden hidden hidden hidden 403 401',
    },
    shared: each('seen seen seen seen 403 401'),
  },
  delete: {
    isolated: {
      shop: ' seen   hidden 403 hidden 403 401',
      portal: 'hidden seen   403 hidden 403 401',
      before: 'hidden hidden 403 hidden 403 401',
    },
    shared: each('seen seen 403 seen 403 401'),
  },
  readNamed: { isolated: each('400 400 400 seen 403 401'), shared: each('400 400 400 400 403 401') },
  changeNamed: { isolated: each('400 400 403 seen 403 401'), shared: each('400 400 403 400 403 401') },
};
/** Those of a client are its own in any case. Of an admin there are none here. */
const idempotencyKeys = {
  shop: ' seen   hidden 403 hidden 403 401',
  portal: 'hidden seen   403 hidden 403 401',
  before: 'hidden hidden 403 hidden 403 401',
};

const customerUrl = (owner: Owner) => `/customers/of-${owner}`;
const namedUrl = (owner: Owner) => `${customerUrl(owner)}?client=${clientOf(owner) ?? ''}`;
const putPhone = (url: string): InjectOptions => ({ method: 'PUT', url, payload: { phone } });

/** By the route, and what is asked of it if that is not all. */
const probes: Record<string, Probe> = {
  'GET /payments/:payment_id': {
    request: (owner) => ({ url: `/payments/${idOf(owner)}` }),
    isSeen: isFound,
    ...reads,
  },
  'GET /payments': { request: () => ({ url: '/payments' }), isSeen: listsIt, ...reads },
  'GET /payments of a customer': {
    request: (owner) => ({ url: `/payments?customer_id=of-${owner}` }),
    isSeen: listsIt,
    ...reads,
  },
  'GET /payments of a client': {
    request: (owner) => ({ url: `/payments?client=${clientOf(owner) ?? 'none'}` }),
    isSeen: listsIt,
    isolated: {
      shop: ' seen 400  seen seen   403 401',
      portal: '400  seen 400  seen   403 401',
      before: '400  400  400  hidden 403 401',
    },
    shared: { ...reads.shared, before: 'hidden hidden hidden hidden 403 401' },
  },
  'GET /payments with Accept: text/csv': {
    request: () => ({ url: '/payments', headers: { accept: 'text/csv' } }),
    isSeen: (response, owner) => response.body.includes(idOf(owner)),
    ...reads,
  },
  'GET /payments with ending_before': {
    request: (owner) => ({ url: `/payments?ending_before=${idOf(owner)}` }),
    isSeen: isFound,
    ...cursors,
  },
  'GET /payments from a cursor': {
    request: (owner) => ({ url: `/payments?starting_after=${idOf(owner)}` }),
    isSeen: isFound,
    ...cursors,
  },
  'GET /events': { request: () => ({ url: '/events' }), isSeen: listsIt, ...reads },
  'GET /live/events': {
    request: () => ({ url: '/live/events' }),
    isSeen: isFound,
    isolated: each('403 403 403 seen 403 401'),
    shared: reads.shared,
  },
  'GET /history': {
    request: () => ({ url: '/history' }),
    isSeen: isFound,
    isolated: each('403 403 403 seen 403 401'),
    shared: reads.shared,
  },
  'GET /statistics': {
    request: () => ({ url: '/statistics' }),
    isSeen: isFound,
    isolated: each('403 403 403 seen 403 401'),
    shared: reads.shared,
  },
  'GET /providers': {
    request: () => ({ url: '/providers' }),
    isSeen: isFound,
    isolated: each('403 403 403 seen 403 401'),
    shared: reads.shared,
  },
  'POST /payments with an Idempotency-Key': {
    request: (owner) => keyed(`key-of-${owner}`),
    // The key is known, and was used for another payment.
    isSeen: ({ statusCode }) => statusCode === 422,
    isolated: idempotencyKeys,
    shared: idempotencyKeys,
  },
  'GET /customers/:customer_id': {
    request: (owner) => ({ url: customerUrl(owner) }),
    isSeen: isFound,
    ...customers.read,
  },
  'DELETE /customers/:customer_id': {
    request: (owner) => ({ method: 'DELETE', url: customerUrl(owner) }),
    isSeen: isFound,
    ...customers.delete,
  },
  'GET /customers/:customer_id?client': {
    request: (owner) => ({ url: namedUrl(owner) }),
    isSeen: isFound,
    ...customers.readNamed,
  },
  'PUT /customers/:customer_id?client': {
    request: (owner) => putPhone(namedUrl(owner)),
    isSeen: isFound,
    ...customers.changeNamed,
  },
  'DELETE /customers/:customer_id?client': {
    request: (owner) => ({ method: 'DELETE', url: namedUrl(owner) }),
    isSeen: isFound,
    ...customers.changeNamed,
  },
};

/** The routes that show and change nothing of a client's, or do for admins and services alone: access.test.ts has their roles. */
const others = [
  ...['GET /', 'GET /health', 'GET /health/live', 'GET /health/ready', 'GET /metrics', 'GET /openapi.json'],
  ...['GET /docs', 'GET /docs/', 'GET /docs/*', 'GET /docs/json', 'GET /docs/yaml'],
  ...['GET /docs/static/index.html', 'GET /docs/static/swagger-initializer.js'],
  'GET /problems/:name',
  'GET /me',
  ...['GET /live', 'GET /live/:file', 'GET /live/find/:file'],
  ...['GET /live/uplot/:file', 'GET /live/eventsource-parser/:file'],
  // Admins.
  ...['GET /customers/:customer_id/data', 'POST /customers/:customer_id/erasure'],
  ...['POST /payments/:payment_id/notification/resend', 'POST /payments/:payment_id/notification/cancel'],
  'POST /notifications/retry',
  ...['POST /suppressions', 'POST /suppressions/search', 'GET /suppressions'],
  ...['GET /suppressions/:suppression_id', 'DELETE /suppressions/:suppression_id'],
  ...['GET /webhook-deliveries', 'POST /webhook-deliveries/replay'],
  'POST /webhook-deliveries/:event_id/replay',
  ...['POST /force-recovery', 'POST /reset-circuit', 'POST /sandbox/:provider'],
  ...['PUT /providers/:provider/hold', 'DELETE /providers/:provider/hold'],
  // Services.
  ...['POST /opt-outs', 'POST /receipts'],
];

async function cellOf(app: Server, requester: Requester, owner: Owner, probe: Probe): Promise<string> {
  const response = await ask(app, as(requester, probe.request(owner)));
  if ([400, 401, 403].includes(response.statusCode)) return String(response.statusCode);
  return probe.isSeen(response, owner) ? 'seen' : 'hidden';
}

/** The stream of snapshots never ends. */
async function ask(app: Server, request: InjectOptions): Promise<Response> {
  if (request.url !== '/live/events') return app.inject(request);
  const response = await app.inject({ ...request, payloadAsStream: true });
  response.stream().destroy();
  return response as unknown as Response;
}

const modes = ['isolated', 'shared'] as const;

describe.each(modes)('given %s clients', (mode) => {
  test.each(Object.keys(probes))('%s shows and changes what the table says', async (name) => {
    const probe = probes[name] as Probe;
    const rows: Record<Owner, string[]> = { shop: [], portal: [], before: [] };
    for (const requester of requesters) {
      const app = await open(mode === 'isolated');
      for (const owner of owners) rows[owner].push(await cellOf(app, requester, owner, probe));
    }
    for (const owner of owners) expect(rows[owner], owner).toEqual(probe[mode][owner].trim().split(/ +/));
  });
});

test('each route is in the table, or shows and changes nothing of a client', async () => {
  const app = await open(true);
  await app.ready();
  const probed = Object.keys(probes).map((name) => name.replace(/\?.*| (of|from|with) .*/, ''));
  expect(routesOf(app).toSorted()).toEqual([...new Set([...probed, ...others])].toSorted());
});

/** Without what differs between two requests in any case. */
function comparable({ statusCode, headers, body }: Response) {
  const { date: _date, 'x-request-id': _id, ...rest } = headers;
  return { statusCode, headers: rest, body };
}

describe('given isolated clients', () => {
  test.each<[what: string, request: (id: string) => InjectOptions]>([
    ['GET of a payment', (id) => ({ url: `/payments/${id}` })],
    ['HEAD of a payment', (id) => ({ method: 'HEAD', url: `/payments/${id}` })],
    ['a cursor', (id) => ({ url: `/payments?starting_after=${id}` })],
  ])("%s responds to another client's id as to an unknown one", async (_what, request) => {
    const app = await open(true);
    const unknown = comparable(await app.inject(as('shop', request('pmt_unknown'))));
    for (const owner of ['portal', 'before'] as const)
      expect(comparable(await app.inject(as('shop', request(idOf(owner)))))).toEqual(unknown);
  });

  test('PUT of a customer by one client leaves those of the others as they are', async () => {
    const app = await open(true);
    const own = '+573009999999';
    for (const url of owners.map(customerUrl))
      await app.inject(as('shop', { method: 'PUT', url, payload: { phone: own } }));
    const phones = owners.map(async (owner) => {
      const response = await app.inject(as('admin', { url: namedUrl(owner) }));
      return response.json().phone;
    });
    expect(await Promise.all(phones)).toEqual([own, phone, phone]);
  });

  test('PUT of the customer of a named client responds with the path at which it is found', async () => {
    const app = await open(true);
    const made = await app.inject(as('admin', putPhone('/customers/new?client=portal')));
    expect([made.statusCode, made.headers.location]).toEqual([201, '/customers/new?client=portal']);
    expect((await app.inject(as('admin', { url: '/customers/new?client=portal' }))).statusCode).toBe(200);
    expect((await app.inject(as('portal', { url: '/customers/new' }))).statusCode).toBe(200);
  });

  test.each(['a b', 'shop:key', 'x'.repeat(65)])('the name %j is that of no client', async (client) => {
    const app = await open(true);
    const response = await app.inject(as('admin', { url: '/customers/1', query: { client } }));
    expect(response.json()).toMatchObject({
      status: 400,
      errors: [{ path: 'client', message: 'must be the name of a client, or empty' }],
    });
  });

  test('an erasure and an export have to name the client, and are of its customer alone', async () => {
    const app = await open(true);
    const erasureOf = (query: string) =>
      app.inject(as('admin', { method: 'POST', url: `/customers/of-shop/erasure${query}` }));
    const dataOf = (query: string) => app.inject(as('admin', { url: `/customers/of-shop/data${query}` }));
    for (const request of [erasureOf, dataOf]) {
      const unnamed = await request('');
      expect([unnamed.statusCode, unnamed.json().errors?.[0].path]).toEqual([400, 'client']);
    }
    expect((await dataOf('?client=portal')).json()).toMatchObject({ phone: null, payments: [] });
    expect((await dataOf('?client=shop')).json()).toMatchObject({ phone, payments: [{ client: 'shop' }] });
    const none = { payments_erased: 0, payments_cancelled: 0, phone_erased: false };
    expect((await erasureOf('?client=portal')).json()).toMatchObject(none);
    expect((await erasureOf('?client=shop')).json()).toMatchObject({
      payments_cancelled: 1,
      phone_erased: true,
    });
  });

  test('a payment of an admin is seen by no client', async () => {
    const app = await open(true);
    const made = await app.inject(as('admin', { method: 'POST', url: '/payments', payload: body }));
    const url = made.headers.location as string;
    expect(made.json()).toMatchObject({ client: 'ana' });
    const statuses = (['shop', 'portal', 'admin'] as const).map(async (requester) => {
      const { statusCode } = await app.inject(as(requester, { url }));
      return statusCode;
    });
    expect(await Promise.all(statuses)).toEqual([404, 404, 200]);
  });

  test('a payment gets the phone that its own client has stored for the customer', async () => {
    const { app, calls } = await build({ access, clientsIsolated: true });
    const phones = { shop: '+573001111111', portal: '+573002222222' };
    for (const client of ['shop', 'portal'] as const)
      await app.inject(
        as(client, { method: 'PUT', url: '/customers/123', payload: { phone: phones[client] } }),
      );
    for (const client of ['portal', 'shop', 'admin'] as const)
      await app.inject(as(client, { method: 'POST', url: '/payments', payload: body }));
    expect(calls.map(({ request }) => request.phone)).toEqual([phones.portal, phones.shop, undefined]);
  });
});
