import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from 'service-kit/http/start.ts';
import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../../test/postgres-server.ts';
import { createNotificationRetry } from '../../src/delivery/retry-notifications.ts';
import { openPostgresStore } from '../../src/store/postgres/store.ts';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { paymentNumber } from '../store/store-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'retry-notifications-'));
afterAll(() => rmSync(directory, { recursive: true }));

const log = createLogger({ level: 'silent' });
const options = { leaseMs: 10_000, events: 'feed' } as const;

describe.each<[name: string, open: () => Promise<Store>]>([
  ['SQLite', () => openSqliteStore({ path: join(directory, 'payments.db'), ...options })],
  [
    'PostgreSQL',
    async () => openPostgresStore({ url: await createDatabase(inject('postgresPort')), ...options, log }),
  ],
])('a retry of many in %s', (_name, open) => {
  test('makes each of several pages due once, while other payments are recorded', {
    timeout: 60_000,
  }, async () => {
    const store = await open();
    onTestFinished(() => store.close());
    const expired = { notification_status: 'failed', reason: 'expired' } as const;
    const numbers = Array.from({ length: 450 }, (_, index) => index + 1);
    await Promise.all(numbers.map((number) => store.insert(paymentNumber(number, expired))));
    const changed: string[] = [];
    const retry = createNotificationRetry({
      store,
      policy: { ttlMs: 86_400_000 },
      onChange: ({ payment_id }) => void changed.push(payment_id),
    });
    const filters = { notification_status: ['failed', 'held'] } as const;
    const { signal } = new AbortController();
    const doing = { reason: 'the providers are back', by: 'maria' };
    const count = await retry.count(filters, signal);
    const running = retry.run(filters, { ...doing, count }, log, signal);
    await store.insert(paymentNumber(1000));
    expect(await running).toEqual({ retried: 450, skipped: 0 });
    expect(new Set(changed).size).toBe(450);
    expect(await retry.count(filters, signal)).toBe(0);
    const due = await store.claimDue(1000);
    expect(due).toHaveLength(450);
    for (const payment of due)
      expect(payment).toMatchObject({
        ...{ notification_status: 'pending', actions: [{ action: 'retry', ...doing }] },
      });
    const page = await store.readEvents({ after: undefined, limit: 1000 });
    expect(page?.events.filter(({ type }) => type === 'payment.notification.pending')).toHaveLength(450);
  });
});
