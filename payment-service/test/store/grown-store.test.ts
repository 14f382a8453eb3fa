import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReceiptStatus } from 'service-kit/contract/notification.ts';
import { createLogger } from 'service-kit/http/start.ts';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '../../../test/eventually.ts';
import { createDatabase } from '../../../test/postgres-server.ts';
import { change, type Payment } from '../../src/domain/payment.ts';
import { copySqliteToPostgres } from '../../src/store/copy/sqlite-to-postgres.ts';
import type { EventRecording } from '../../src/store/events.ts';
import { openPostgresStore } from '../../src/store/postgres/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { build, paymentOf, resend } from '../fixture.ts';
import {
  type FormerName,
  formerReleases,
  growPostgres,
  growSqlite,
  idOf,
  releasesWithoutEvents,
} from './grown-store.ts';
import { everything } from './store-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'grown-store-'));
afterAll(() => rmSync(directory, { recursive: true }));
const leaseMs = 10_000;
const log = createLogger({ level: 'silent' });
const newPath = () => join(directory, `${randomUUID()}.db`);
const newDatabase = () => createDatabase(inject('postgresPort'));

type Release = (typeof formerReleases)[number];

const ways: [name: string, open: (release: Release, events: EventRecording) => Promise<Store>][] = [
  [
    'a SQLite file',
    async (release, events) => {
      const path = newPath();
      growSqlite(path, release);
      return openSqliteStore({ path, leaseMs, events });
    },
  ],
  [
    'a PostgreSQL database',
    async (release, events) => {
      const url = await newDatabase();
      await growPostgres(url, release);
      return openPostgresStore({ url, leaseMs, events, log });
    },
  ],
  [
    'a copy to PostgreSQL of a SQLite file',
    async (release, events) => {
      const path = newPath();
      growSqlite(path, release);
      const url = await newDatabase();
      await copySqliteToPostgres({ path, url });
      return openPostgresStore({ url, leaseMs, events, log });
    },
  ],
];
const storesOf = (releases: Release[], events: EventRecording) =>
  releases.flatMap((release) =>
    ways.map(([name, open]) => [`${name} ${release.name}`, () => open(release, events)] as const),
  );

test.each(storesOf(releasesWithoutEvents, 'webhooks'))(
  'given %s, records what becomes of its payments from then on, and nothing of before',
  { timeout: 20_000 },
  async (_name, open) => {
    const store = await open();
    expect(await store.readEvents({ after: undefined, limit: 10 })).toMatchObject({ events: [] });
    expect(await store.countWebhooks()).toEqual({ pending: 0, dead: 0, oldest_at: null });
    const payment_id = idOf('sent');
    const before = (await store.find(payment_id)) as Payment;
    await store.amend(change(before, { notification_status: 'delivered' }), before);
    const type = 'payment.notification.delivered';
    expect(await store.claimWebhooks(10, leaseMs)).toMatchObject([{ payment_id, type }]);
    await store.close();
  },
);

describe.each(storesOf(formerReleases, 'off'))('given %s', { timeout: 20_000 }, (_name, open) => {
  /** The app with that store, whose outbox runs. */
  async function start() {
    const store = await open();
    const { app, calls } = await build({ store });
    const find = async (name: FormerName) => paymentOf(await app.inject(`/payments/${idOf(name)}`));
    const statusOf = async (name: FormerName) => (await find(name)).notification_status;
    const report = async (name: FormerName, status: ReceiptStatus) => {
      const { statusCode } = await app.inject({
        method: 'POST',
        url: '/receipts',
        payload: {
          provider: 'Twilio',
          message_id: 'SM1',
          idempotency_key: `${idOf(name)}-2`,
          status,
          reason: status === 'delivered' ? null : 'c1',
        },
      });
      expect(statusCode).toBe(204);
    };
    return { app, store, calls, find, statusOf, report };
  }

  test('names what is held, and leaves the other notifications as they are', async () => {
    const store = await open();
    const { payments } = (await store.list(everything)) ?? {};
    expect(payments?.map(({ notification_status, reason }) => [notification_status, reason])).toEqual([
      ['failed', 'twilio_21610'],
      ['failed', 'twilio_30003'],
      ['delivered', null],
      ['sent', null],
      ['pending', null],
      ['held', 'unknown_outcome'],
      ['held', 'daily_limit'],
    ]);
    expect(await store.countHeld()).toEqual({ unknown_outcome: 1, daily_limit: 1 });
    expect(await store.backlog()).toMatchObject({ size: 1 });
    expect(await store.claimAsks(10)).toEqual([]); // it is not known whether their receipts can be asked for
    await store.close();
  });

  test('shows its payments without deliveries, and with the times that are known', async () => {
    const { find } = await start();
    const delivered = await find('delivered');
    expect(delivered).toMatchObject({
      notification_service: 'Twilio',
      updated_at: delivered.created_at,
      sent_at: '2026-01-01T00:00:00.019Z',
      delivered_at: null,
    });
    expect(delivered.notification.attempts[1]).toMatchObject({
      outcome: 'accepted',
      phone_last4: null,
      deliveries: [],
      delivery: null,
    });
    expect((await find('undelivered')).notification.attempts[1]).toMatchObject({
      outcome: 'not_sent',
      reason: 'twilio_30003',
      message_id: 'SM1',
      delivery: null,
    });
  });

  test('sends what waited for a bound, and by a resend what is held after an unknown outcome', async () => {
    const { app, calls, find, statusOf } = await start();
    await eventually(
      () => statusOf('waiting'),
      (status) => status === 'sent',
      5000,
    );
    expect(await statusOf('held')).toBe('held');
    const { statusCode } = await app.inject(resend(idOf('held')));
    expect(statusCode).toBe(200);
    expect(await find('held')).toMatchObject({ notification_status: 'sent', possible_duplicate: true });
    expect(calls.map(({ request }) => request.customer_id)).toEqual(['123', '123']);
  });

  test('leaves what was delivered so, whatever receipts come', async () => {
    const { calls, statusOf, report, find } = await start();
    for (const status of ['not_sent', 'undelivered', 'filtered', 'refused', 'delivered'] as const) {
      await report('delivered', status);
      expect(await find('delivered'), status).toMatchObject({
        notification_status: 'delivered',
        notification_service: 'Twilio',
        notification: { next_attempt_at: null },
      });
    }
    await eventually(
      () => statusOf('waiting'),
      (other) => other === 'sent',
      5000,
    );
    expect(calls).toHaveLength(1);
  });

  test('takes the receipts of what was sent, and sends by the other provider what did not arrive', async () => {
    const { statusOf, report, find } = await start();
    await report('sent', 'undelivered');
    await eventually(
      () => statusOf('sent'),
      (status) => status === 'sent',
      5000,
    );
    const { notification_service, notification } = await find('sent');
    expect(notification_service).toBe('Aldeamo');
    expect(notification.attempts[1]?.delivery).toMatchObject({ status: 'undelivered', reason: 'c1' });
  });

  test.each<[FormerName, ReceiptStatus, string]>([
    ['undelivered', 'undelivered', 'twilio_30003'],
    ['optedOut', 'refused', 'twilio_21610'],
  ])('keeps a failed notification (%s) whose attempt a receipt has rewritten, unless one more says that it was delivered', async (name, status, reason) => {
    const { report, find } = await start();
    await report(name, status);
    expect(await find(name)).toMatchObject({
      notification_status: 'failed',
      notification_service: null,
      notification: { reason },
    });
    await report(name, 'delivered');
    expect(await find(name)).toMatchObject({
      notification_status: 'delivered',
      notification_service: 'Twilio',
      notification: { reason: null },
    });
  });

  test('refuses to resend to a recipient that was rejected, and resends what was undelivered', async () => {
    const { app, find } = await start();
    const retry = async (name: FormerName) => (await app.inject(resend(idOf(name)))).statusCode;
    expect(await retry('optedOut')).toBe(409);
    expect(await retry('undelivered')).toBe(200);
    expect(await find('undelivered')).toMatchObject({ notification_status: 'sent' });
  });
});
