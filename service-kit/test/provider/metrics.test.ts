import type { FastifyBaseLogger } from 'fastify';
import { describe, expect, test } from 'vitest';
import type { Outcome, ReceiptWay } from '../../src/contract/notification.ts';
import { createAccount } from '../../src/provider/account.ts';
import { accepted, body, buildFakeApp, buildSandboxApp, notify } from './fixture.ts';

describe('metrics', () => {
  const sends = async ({ app }: Awaited<ReturnType<typeof buildFakeApp>>) => {
    const { body: text } = await app.inject('/metrics');
    return [
      ...text.matchAll(/^paysms_gateway_sends_total\{provider="Aldeamo",outcome="(\w+)"\} (\d+)$/gm),
    ].map(([, outcome, count]) => `${outcome} ${count}`);
  };

  test('have every outcome from the start', async () => {
    expect(await sends(await buildFakeApp())).toEqual([
      'accepted 0',
      'rejected 0',
      'not_sent 0',
      'unknown 0',
    ]);
  });

  test('count sends by outcome; a request with a known key is no send', async () => {
    const outcomes: Outcome[] = [accepted, accepted, { outcome: 'rejected', reason: 'opted_out' }];
    const built = await buildFakeApp({ send: async () => outcomes.shift() as Outcome });
    for (const key of ['key-1', 'key-1', 'key-2', 'key-3']) await built.app.inject(notify(body, key));
    expect(await sends(built)).toEqual(['accepted 2', 'rejected 1', 'not_sent 0', 'unknown 0']);
  });

  test('given a send that ends after its request was answered, count its final outcome', async () => {
    const sent = Promise.withResolvers<Outcome>();
    const built = await buildFakeApp({ send: () => sent.promise }, { gatewayTimeoutMs: 1 });
    expect((await built.app.inject(notify(body, 'key-1'))).statusCode).toBe(504);
    expect(await sends(built)).toContain('accepted 0');
    sent.resolve(accepted);
    expect(await sends(built)).toContain('accepted 1');
  });

  test('show neither the customer, nor the phone, nor the text', async () => {
    const { app } = await buildFakeApp();
    await app.inject(
      notify({ message: 'Pago-secreto', customer_id: 'cliente-9', phone: '+573001234567' }, 'key-9'),
    );
    const { body: text } = await app.inject('/metrics');
    expect(text).toMatch(/^paysms_gateway_send_duration_seconds_count\{.*\} 1$/m);
    expect(text).not.toMatch(/Pago-secreto|cliente-9|3001234567|key-9/);
  });

  test.each<[ReceiptWay[], number]>([
    [[], 0],
    [['push', 'pull'], 1],
    [['pull'], 1],
  ])('given receipts by %j, show whether there are any', async (receipts, value) => {
    const { app } = await buildFakeApp({ receipts });
    const { body: text } = await app.inject('/metrics');
    expect(text).toContain(`\npaysms_receipts_requested{provider="Aldeamo"} ${value}\n`);
    expect(text).toMatch(/^paysms_build_info\{version="1.2.3",/m);
  });

  test('show the state and the balance of the account, and no sample of either for a sandbox', async () => {
    const log = { info() {}, error() {} } as unknown as FastifyBaseLogger;
    const account = createAccount({ provider: 'Aldeamo', log });
    const { app } = await buildFakeApp({}, { account });
    const samples = async (built: Pick<Awaited<ReturnType<typeof buildFakeApp>>, 'app'>) =>
      (await built.app.inject('/metrics')).body.match(/^paysms_account_\w+\{.*$/gm);
    const states = (current: string) =>
      ['unknown', 'ok', 'refused'].map(
        (state) => `paysms_account_state{provider="Aldeamo",state="${state}"} ${state === current ? 1 : 0}`,
      );
    account.learnFromCheck({ state: 'refused', reason: 'credentials' });
    expect(await samples({ app })).toEqual(states('refused'));
    account.learnFromCheck({ state: 'healthy', balance: 12 });
    expect(await samples({ app })).toEqual([
      ...states('ok'),
      'paysms_account_balance{provider="Aldeamo"} 12',
    ]);
    account.learnFromCheck({ state: 'healthy' });
    expect(await samples({ app })).toEqual(states('ok'));
    expect(await samples(await buildSandboxApp())).toBeNull();
  });
});
