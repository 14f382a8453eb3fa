import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import type { PaymentEvent } from '../../src/domain/events.ts';
import { bodyOf, signedHeaders } from '../../src/webhooks/message.ts';

const event = (data: string): PaymentEvent => ({
  event_id: 'evt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d',
  payment_id: 'pmt_1',
  type: 'payment.notification.delivered',
  data,
  created_at: '2026-03-01T12:00:00.000Z',
});
const secret = fc.uint8Array({ minLength: 24, maxLength: 64 }).map((bytes) => Buffer.from(bytes));
const json = fc.json({ stringUnit: 'grapheme' });

describe('the signature', () => {
  test('is verified by the reference library with each of the secrets, whatever the data', () => {
    const property = fc.property(json, fc.array(secret, { minLength: 1, maxLength: 2 }), (data, secrets) => {
      const body = bodyOf(event(data));
      const headers = signedHeaders(event(data).event_id, body, secrets);
      for (const key of secrets) {
        const verified = new Webhook(`whsec_${key.toString('base64')}`).verify(body, headers);
        expect(verified).toEqual(JSON.parse(body));
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('is refused by the reference library with another secret, or for another body', () => {
    const [key, other] = [Buffer.alloc(24, 1), Buffer.alloc(24, 2)];
    const body = bodyOf(event('{}'));
    const headers = signedHeaders('evt_1', body, [key]);
    const verify = (secret: Buffer, payload: string) =>
      new Webhook(`whsec_${secret.toString('base64')}`).verify(payload, headers);
    expect(() => verify(other, body)).toThrow();
    expect(() => verify(key, `${body} `)).toThrow();
    expect(verify(key, body)).toBeTruthy();
  });

  test('is that of the reference library, byte by byte', () => {
    const key = Buffer.alloc(32, 7);
    const at = new Date('2026-03-01T12:00:00.999Z');
    const reference = new Webhook(key.toString('base64'));
    expect(signedHeaders('evt_1', '{"a":"á"}', [key, key], at.getTime())).toEqual({
      'webhook-id': 'evt_1',
      'webhook-timestamp': '1772366400',
      'webhook-signature': Array(2)
        .fill(reference.sign('evt_1', at, '{"a":"á"}'))
        .join(' '),
    });
  });
});

test('the body has the data as it is on record', () => {
  expect(bodyOf(event('{"amount":100.50,"currency":"COP"}'))).toBe(
    '{"type":"payment.notification.delivered","timestamp":"2026-03-01T12:00:00.000Z","data":{"amount":100.50,"currency":"COP"}}',
  );
});
