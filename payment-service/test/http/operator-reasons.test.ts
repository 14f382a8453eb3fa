import type { InjectOptions } from 'fastify';
import { accessOptions } from 'service-kit/http/access-settings.ts';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import { describe, expect, test } from 'vitest';
import { paymentConfigSchema } from '../../src/config.ts';
import { newSuppression } from '../../src/domain/suppression.ts';
import { body, build, post } from '../fixture.ts';

const key = 'key-of-operator-1';
const access = accessOptions(
  readConfiguration(paymentConfigSchema, {
    API_KEYS: 'shop:key-of-the-shop-1',
    ADMIN_API_KEY: `maria:${key}`,
    SERVICE_TOKEN: 'token-of-the-services',
  }),
);
const reason = 'INC-1042: asked for by the shop';
const suppression = newSuppression({
  phone: '+573001234567',
  ...{ source: 'admin', reason: 'asked us by letter', provider: null, payment_id: null },
});

/** An app that has what each of the routes changes. */
async function open() {
  const built = await build({
    access,
    events: { recording: 'webhooks' },
    webhook: async () => ({ result: 'taken' }),
  });
  const inject = (request: InjectOptions) =>
    built.app.inject({ ...request, headers: { ...request.headers, authorization: `Bearer ${key}` } });
  await inject(post(body));
  await built.store.putSuppression(suppression);
  const { deliveries } = (await built.store.listWebhooks({
    limit: 1,
    starting_after: undefined,
    status: undefined,
  })) as { deliveries: { event_id: string }[] };
  return { ...built, inject, event_id: deliveries[0]?.event_id ?? '' };
}
type Opened = Awaited<ReturnType<typeof open>>;

/** What a route logs, and a request to it with the reason, in its body or its query. */
const requests: [msg: string, request: (reason: string | undefined, of: Opened) => InjectOptions][] = [
  [
    'webhook delivery replayed',
    (given, { event_id }) => ({
      method: 'POST',
      url: `/webhook-deliveries/${event_id}/replay`,
      ...(given !== undefined && { payload: { reason: given } }),
    }),
  ],
  [
    'dead webhook deliveries replayed',
    (given) => ({
      method: 'POST',
      url: '/webhook-deliveries/replay',
      payload: { since: '2026-01-01T00:00:00Z', reason: given },
    }),
  ],
  [
    'suppression deleted',
    (given) => ({
      method: 'DELETE',
      url: `/suppressions/${suppression.suppression_id}`,
      ...(given !== undefined && { query: { reason: given } }),
    }),
  ],
  [
    'customer erased',
    (given) => ({
      method: 'POST',
      url: '/customers/123/erasure',
      ...(given !== undefined && { payload: { reason: given } }),
    }),
  ],
];

describe('the reason of an operator', () => {
  test.each(requests)('of "%s" is logged with who gave it', async (msg, request) => {
    const opened = await open();
    expect((await opened.inject(request(reason, opened))).statusCode).toBeLessThan(300);
    expect(opened.lines).toContainEqual(expect.objectContaining({ msg, by: 'maria', reason }));
  });

  test.each(requests)('of "%s" can be left out', async (msg, request) => {
    const opened = await open();
    expect((await opened.inject(request(undefined, opened))).statusCode).toBeLessThan(300);
    expect(opened.lines).toContainEqual(expect.objectContaining({ msg, by: 'maria', reason: null }));
  });

  test.each(requests)('of "%s" with a phone is refused, and nothing is done', async (msg, request) => {
    const opened = await open();
    const response = await opened.inject(request('she has 3009999999 now', opened));
    expect([response.statusCode, response.json().errors]).toMatchObject([400, [{ path: 'reason' }]]);
    expect(opened.lines.map((line) => line.msg)).not.toContain(msg);
  });

  test('of a suppression is logged with who gave it, and must contain no phone', async () => {
    const { inject, lines } = await open();
    const suppress = (given: string) =>
      inject({ method: 'POST', url: '/suppressions', payload: { phone: '+573007654321', reason: given } });
    expect((await suppress('she has 3009999999 now')).statusCode).toBe(400);
    expect((await suppress(reason)).statusCode).toBe(201);
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'phone suppressed', by: 'maria', reason }));
  });
});
