import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createLogger } from 'service-kit/http/start.ts';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../../test/postgres-server.ts';
import type { EventRecording } from '../../src/store/events.ts';
import { openStore } from '../../src/store/open-store.ts';
import { writeCursor } from '../../src/webhooks/event-cursor.ts';
import { body, build, paymentOf, post } from '../fixture.ts';

const urls = {
  SQLite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'events-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    return `file:${folder}/payments.db`;
  },
  PostgreSQL: () => createDatabase(inject('postgresPort')),
};

/** The app with a store on disk, which it closes. */
async function buildOn(name: keyof typeof urls, recording: EventRecording) {
  const log = createLogger({ level: 'silent' });
  const url = await urls[name]();
  const store = await openStore(url, { leaseMs: 15_000, events: recording, log, onUnreadable: () => {} });
  return build({
    store,
    events: { recording },
    ...(recording === 'webhooks' && { webhook: async () => ({ result: 'taken' as const }) }),
  });
}

describe.each(['SQLite', 'PostgreSQL'] as const)('with %s', (name) => {
  test('GET /events returns each event of payments that go on meanwhile once, with their exact amounts', async () => {
    const { app } = await buildOn(name, 'feed');
    const pay = async () => paymentOf(await app.inject(post({ ...body, amount: '90071992547409.91' })));
    const seen: string[] = [];
    let after = '';
    const read = async () => {
      const response = await app.inject(`/events?limit=3${after && `&after=${after}`}`);
      const { data, cursor, has_more } = response.json();
      seen.push(...data.map((event: { data: { payment_id: string } }) => event.data.payment_id));
      expect(response.body.split('"amount":90071992547409.91,')).toHaveLength(data.length + 1);
      after = cursor;
      return has_more as boolean;
    };
    let isPaying = true;
    const paying = Promise.all(Array.from({ length: 40 }, pay)).finally(() => {
      isPaying = false;
    });
    while (isPaying) {
      await read();
      await setImmediate(); // lets the payments go on, because a request that is injected may need no turn of the event loop
    }
    const paid = (await paying).map(({ payment_id }) => payment_id);
    while (await read());
    expect(seen.toSorted()).toEqual(paid.toSorted());
  });

  test.each([
    [
      'GET',
      '/events',
      { after: writeCursor({ position: { transaction: '9', number: 9 }, at: 4_000_000_000_000 }) },
      410,
    ],
    [
      'GET',
      '/events',
      {
        after: writeCursor({ position: { transaction: String(2n ** 64n - 1n), number: 2 ** 53 - 1 }, at: 0 }),
      },
      410,
    ],
    ['GET', '/webhook-deliveries', { starting_after: 'evt_\0' }, 400],
    ['POST', '/webhook-deliveries/evt_%00/replay', {}, 404],
    ['POST', '/webhook-deliveries/replay', { since: '0000-01-01T00:00:00+23:59' }, 202],
  ] as const)('given %s %s with %j, the response is %i', async (method, url, fields, status) => {
    const { app } = await buildOn(name, 'webhooks');
    const request = method === 'GET' ? { query: fields as Record<string, string> } : post(fields);
    expect((await app.inject({ ...request, method, url })).statusCode).toBe(status);
  });
});
