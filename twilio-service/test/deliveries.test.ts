import { expect, test } from 'vitest';
import { acceptAndReport, twilioDeliveries } from '../../test/doubles/twilio-deliveries.ts';
import { eventually } from '../../test/eventually.ts';
import { ample, notify } from '../../test/provider-fixture.ts';
import { startLiveApp, startWithReceipts } from './fixture.ts';

type Kind = keyof typeof twilioDeliveries;

test.each<[Kind, string[]]>([
  ['delivered', ['delivered']],
  ['late', ['delivered']],
  ['twice', ['delivered', 'delivered']],
  ['contradicting', ['undelivered', 'delivered']],
  ['undelivered', ['undelivered']],
  ['failed', ['not_sent']],
  ['filtered', ['filtered']],
  ['optedOut', ['refused']],
])('given an SMS whose delivery at Twilio is %s, payment-service gets %j, and the last of them by asking', async (kind, statuses) => {
  const { app, upstream, receipts, send } = await startWithReceipts();
  upstream.answerAll(acceptAndReport(upstream, twilioDeliveries[kind]));
  const sid = await send();
  const received = await eventually(
    async () => receipts(),
    ({ length }) => length >= statuses.length,
    ample,
  );
  expect(received.map(({ status }) => status)).toEqual(statuses);
  expect((await app.inject(`/messages/${sid}`)).json()).toMatchObject({ status: statuses.at(-1) });
  expect(upstream.violations).toEqual([]);
});

test.each<[Kind, string | null]>([
  ['lost', 'delivered'],
  ['never', null],
])('given an SMS whose receipt is %s, payment-service gets none, and %j by asking', async (kind, status) => {
  const { app, upstream, receipts, send } = await startWithReceipts();
  upstream.answerAll(acceptAndReport(upstream, twilioDeliveries[kind]));
  const sid = await send();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect((await app.inject(`/messages/${sid}`)).json()).toMatchObject({ status });
  expect(receipts()).toEqual([]);
});

test('given no public URL, what became of an SMS is known by asking', async () => {
  const { app, upstream } = await startLiveApp();
  upstream.answerAll(acceptAndReport(upstream, twilioDeliveries.undelivered));
  const { message_id } = (await app.inject(notify('pmt_1-1'))).json();
  const report = await eventually(
    async () => (await app.inject(`/messages/${message_id}`)).json(),
    ({ status }) => status !== null,
    ample,
  );
  expect(report).toMatchObject({ status: 'undelivered', reason: 'twilio_30003' });
});
