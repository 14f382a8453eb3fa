import { describe, expect, test, vi } from 'vitest';
import { messageReportSchema } from '../../src/contract/notification.ts';
import { createCredential } from '../../src/http/credentials.ts';
import { problemContentType } from '../../src/http/problem.ts';
import type { Found } from '../../src/provider/gateway.ts';
import { buildFakeApp } from './fixture.ts';

const roles = ['client', 'service', 'admin'] as const;
const at = '2026-01-02T03:04:05.000Z';

describe('GET /messages/{message_id}', () => {
  test.each<Omit<Extract<Found, { found: 'report' }>, 'found'>>([
    { status: 'delivered', reason: null, at },
    { status: 'filtered', reason: 'code_7' },
    { status: null, reason: null },
  ])('given %j of the gateway, replies with it', async (report) => {
    const find = vi.fn(async (): Promise<Found> => ({ found: 'report', ...report }));
    const { app } = await buildFakeApp({ find });
    const response = await app.inject('/messages/sms-1');
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ provider: 'Aldeamo', message_id: 'sms-1', ...report });
    expect(messageReportSchema.parse(response.json())).toEqual(response.json());
    expect(find.mock.calls).toEqual([['sms-1']]);
  });

  test.each<[Found, number, string, string | undefined]>([
    [{ found: 'unknown_message' }, 404, 'message-not-found', undefined],
    [{ found: 'forbidden', reason: 'twilio_70051' }, 403, 'messages-forbidden', 'twilio_70051'],
    [{ found: 'unanswered', reason: 'http_503' }, 502, 'message-unanswered', 'http_503'],
    [{ found: 'unanswered', reason: 'deadline_passed' }, 504, 'message-timeout', 'deadline_passed'],
  ])('given %j, is a %i', async (answer, status, name, reason) => {
    const { app } = await buildFakeApp({ find: async () => answer });
    const response = await app.inject('/messages/sms-1');
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe(problemContentType);
    expect(response.json()).toMatchObject({ type: `/problems/${name}` });
    expect(response.json().reason).toBe(reason);
  });

  test('given a gateway that cannot be asked, is a 404', async () => {
    const { app } = await buildFakeApp();
    const response = await app.inject('/messages/sms-1');
    expect([response.statusCode, response.json()]).toMatchObject([
      404,
      { type: '/problems/receipts-unavailable' },
    ]);
  });

  test('given a gateway that does not answer in time, is a 504', async () => {
    const find = () => new Promise<Found>(() => {});
    const { app } = await buildFakeApp({ find }, { gatewayTimeoutMs: 10 });
    const response = await app.inject('/messages/sms-1');
    expect([response.statusCode, response.json()]).toMatchObject([504, { reason: 'gateway_timeout' }]);
  });

  test('given an id of odd characters, asks with the id that the reply to the send had', async () => {
    const find = vi.fn(async (): Promise<Found> => ({ found: 'unknown_message' }));
    const { app } = await buildFakeApp({ find });
    await app.inject(`/messages/${encodeURIComponent(`a/b?\u0000${'x'.repeat(255)}`)}`);
    expect(find.mock.calls).toEqual([[`a/b?\ufffd${'x'.repeat(250)}`]]);
  });

  test.each([
    [undefined, 401],
    ['client', 403],
    ['service', 404],
    ['admin', 404],
  ])('given the key of %s, is a %i', async (key, status) => {
    const credentials = roles.map((role) => createCredential(role, role, `key-of-the-${role}`));
    const { app } = await buildFakeApp({}, { access: { credentials } });
    const headers = key ? { authorization: `Bearer key-of-the-${key}` } : {};
    const response = await app.inject({ url: '/messages/sms-1', headers });
    expect(response.statusCode).toBe(status);
  });

  test('is one line of the log', async () => {
    const { app, lines } = await buildFakeApp({
      find: async () => ({ found: 'forbidden', reason: 'http_403' }),
    });
    await app.inject('/messages/sms-1');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { msg: 'message looked up', message_id: 'sms-1', found: 'forbidden', reason: 'http_403' },
    ]);
  });
});
