import { describe, expect, onTestFinished, test } from 'vitest';
import { startTwilioUpstream } from '../../test/doubles/twilio-upstream.ts';

const right = { To: '+573001234567', From: '+15005550006', Body: 'Pago recibido' };

async function post(
  form: Record<string, string>,
  { path = 'Messages.json', type = 'application/x-www-form-urlencoded' } = {},
) {
  const upstream = await startTwilioUpstream();
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  const { accountSid, authToken, url } = upstream;
  const response = await fetch(`${url}/2010-04-01/Accounts/${accountSid}/${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${accountSid}:${authToken}`)}`, 'content-type': type },
    body: new URLSearchParams(form).toString(),
  });
  return { status: response.status, body: await response.text(), ...upstream };
}

describe('the test double of Twilio', () => {
  test('accepts a correct send', async () => {
    const { status, body, violations, ledger } = await post({
      ...right,
      StatusCallback: 'https://a.example/s#rc=5&rp=4xx,5xx',
      ValidityPeriod: '36000',
    });
    expect(violations).toEqual([]);
    expect(status).toBe(201);
    expect(ledger).toMatchObject([{ to: '+573001234567', sid: JSON.parse(body).sid }]);
  });

  const { From: _from, ...withoutSender } = right;
  const { Body: _body, ...withoutBody } = right;
  test.each<[Record<string, string>, object?]>([
    [withoutSender],
    [withoutBody],
    [{ ...right, To: '3001234567' }],
    [{ ...right, Body: '' }],
    [{ ...right, Body: 'x'.repeat(1601) }],
    [{ ...right, MessagingServiceSid: 'MG1' }],
    [{ ...withoutSender, MessagingServiceSid: 'SM1' }],
    [{ ...right, StatusCallback: '/webhooks' }],
    [{ ...right, StatusCallback: 'https://a.example/s#rc=6&rp=all' }],
    [{ ...right, StatusCallback: 'https://a.example/s#rc=5&rp=never' }],
    [{ ...right, ValidityPeriod: '0' }],
    [{ ...right, ValidityPeriod: '36001' }],
    [{ ...right, ValidityPeriod: '1.5' }],
    [{ ...right, MediaUrl: 'https://a.example/a.png' }],
    [right, { path: 'Messages' }],
    [right, { type: 'application/json' }],
  ])('refuses %.60j %j', async (form, how) => {
    const { status, violations, ledger } = await post(form, how);
    expect(status).toBe(400);
    expect(violations).not.toEqual([]);
    expect(ledger).toEqual([]);
  });
});
