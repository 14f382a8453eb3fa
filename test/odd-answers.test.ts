import { expect, onTestFinished, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startTwilioUpstream } from './doubles/twilio-upstream.ts';
import { call, pay } from './http.ts';
import { liveSettings } from './live-settings.ts';
import { startPostgres } from './postgres-server.ts';
import { startProcesses } from './trio-of-processes.ts';

const odd = '\u0000\u202e\ud800';
const cleaned = '\ufffd\ufffd\ufffd';

/** The live trio on PostgreSQL, which stores neither a NUL nor half of a surrogate pair. */
async function startTrio() {
  const [aldeamoApi, twilioApi] = [await startAldeamoUpstream(), await startTwilioUpstream()];
  const postgres = await startPostgres({ settings: { fsync: 'off' } });
  const url = await postgres.createDatabase();
  const trio = await startProcesses({
    DATABASE_URL: url,
    SENDS_DATABASE_URL: url,
    ...liveSettings(aldeamoApi, twilioApi),
  });
  twilioApi.callbackOrigin = trio.url('twilio-service');
  onTestFinished(async () => {
    for (const each of [trio, aldeamoApi, twilioApi, postgres]) await each[Symbol.asyncDispose]();
  });
  const payments = trio.url('payment-service');
  return {
    aldeamoApi,
    twilioApi,
    payTo: async (phone: string) => (await pay(payments, { customer_id: 'odd', phone })).body,
    find: async ({ payment_id }: PaymentView) =>
      (await call<PaymentView>('GET', `${payments}/payments/${payment_id}`)).body,
  };
}

test('given ids, reasons and texts that no database can hold, records what the providers answered', async () => {
  const { aldeamoApi, twilioApi, payTo, find } = await startTrio();

  aldeamoApi.answerNext(({ accept, response }) => {
    accept();
    const entry = String.raw`{"transactionId":"tx\u0000\u202e\ud800","reason":"Número`;
    const body = `{"result":{"receivedRequests":[${entry}\u0000"}]}}`;
    response.writeHead(200, { 'content-type': 'application/json' }).end(Buffer.from(body, 'latin1'));
  });
  const received = await payTo('+573001000001');
  expect(await find(received)).toMatchObject({
    notification_status: 'sent',
    notification: { attempts: [{ provider: 'Aldeamo', outcome: 'accepted', message_id: `tx${cleaned}` }] },
  });

  const reason = `Ruta ${odd}no disponible`;
  aldeamoApi.answerNext(({ reply }) => reply(200, { result: { failedRequests: [{ reason }] } }));
  const sid = `SM${odd.slice(0, 2)}1`; // a form has no halves of pairs
  twilioApi.answerNext(({ message, accept, reply }) => {
    message.sid = sid;
    accept();
    reply(201, { sid, status: 'queued', body: odd });
  });
  const failedOver = await payTo('+573001000002');
  await expect(twilioApi.sendStatus(sid, 'delivered')).resolves.toBe(204);
  expect(await find(failedOver)).toMatchObject({
    notification_status: 'delivered',
    notification: {
      attempts: [
        { provider: 'Aldeamo', outcome: 'not_sent', reason: 'refused' },
        { provider: 'Twilio', outcome: 'accepted', message_id: 'SM\ufffd\ufffd1' },
      ],
    },
  });

  aldeamoApi.answerNext(({ response }) => {
    const body = '{"result":{"failedRequests":[{"reason":"N\xfamero\xa0inv\xe1lido"}]}}\xff';
    response.writeHead(200).end(Buffer.from(body, 'latin1'));
  });
  expect(await find(await payTo('+573001000003'))).toMatchObject({
    notification_status: 'failed',
    notification: { attempts: [{ provider: 'Aldeamo', outcome: 'rejected', reason: 'phone_invalid' }] },
  });

  aldeamoApi.answerNext(({ response }) => {
    response.writeHead(400, { 'content-length': 500 }).write('cut');
    setTimeout(() => response.destroy(), 50);
  });
  expect(await find(await payTo('+573001000004'))).toMatchObject({
    notification_status: 'sent',
    possible_duplicate: false,
    notification: {
      attempts: [
        { provider: 'Aldeamo', outcome: 'not_sent', reason: 'http_400' },
        { provider: 'Twilio', outcome: 'accepted' },
      ],
    },
  });
  expect([...aldeamoApi.violations, ...twilioApi.violations]).toEqual([]);
});
