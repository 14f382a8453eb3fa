import { expect, test } from 'vitest';
import { announcement } from '../scripts/announcement.ts';
import { readSettings } from '../scripts/settings.ts';

const announced = (settings: Record<string, string>) => announcement(readSettings(settings));

const keys = {
  API_KEYS: `shop:${'k'.repeat(16)}`,
  ADMIN_API_KEY: 'a'.repeat(16),
  SERVICE_TOKEN: 's'.repeat(16),
};

const aldeamo = { ALDEAMO_USERNAME: 'user', ALDEAMO_PASSWORD: 'secret' };
const twilio = {
  TWILIO_ACCOUNT_SID: `AC${'0123456789abcdef'.repeat(2)}`,
  TWILIO_AUTH_TOKEN: '0123456789abcdef'.repeat(2),
  TWILIO_FROM: '+15005550006',
};

test('given sandboxes without keys, announces a payment that needs neither a phone nor a key', () => {
  const text = announced({});
  expect(text).toContain(`-d '{"amount": 100.0, "customer_id": "123", "message": "Pago recibido"}'`);
  expect(text).not.toMatch(/phone|Authorization/);
  expect(text).toContain('toggle-failure');
});

test.each([
  ['Aldeamo', aldeamo],
  ['Twilio', twilio],
])('given a live %s, announces a payment with a phone that the reader fills in', (_name, settings) => {
  expect(announced(settings)).toContain('"customer_id": "123", "phone": "<your phone, as +57…>", "message"');
});

test('given keys, announces each request with the name of the key that it needs, and without the key', () => {
  const text = announced(keys);
  expect(text).toMatch(/\/payments .*Bearer <a key of API_KEYS>/);
  expect(text).toMatch(/toggle-failure.*Bearer <a key of ADMIN_API_KEY>/);
  expect(text).not.toMatch(/kkkk|aaaa|ssss/);
});

test.each<[what: string, settings: Record<string, string>, hint: boolean, warning: boolean]>([
  ['two sandboxes', {}, true, false],
  ['two live providers', { ...aldeamo, ...twilio }, false, false],
  ['a live Aldeamo and a sandbox', aldeamo, false, true],
  ['a sandbox and a live Twilio', twilio, false, true],
])('given %s, invites to break a sandbox, or warns of no failover, where that is right', (_what, settings, hint, warning) => {
  const text = announced(settings);
  expect(text.includes("Break Aldeamo's sandbox")).toBe(hint);
  expect(text.includes('there is no failover')).toBe(warning);
});
