import pg from 'pg';
import { createLogger } from 'service-kit/http/start.ts';
import { afterAll, beforeAll, inject, onTestFinished } from 'vitest';
import { createDatabase } from '../../../../test/postgres-server.ts';
import { openPostgresStore } from '../../../src/store/postgres/store.ts';
import { describeUnreadable } from '../unreadable-payments.ts';

const log = createLogger({ level: 'silent' });
let url: string;
let client: pg.Client;
beforeAll(async () => {
  url = await createDatabase(inject('postgresPort'));
  client = new pg.Client(url);
  await client.connect();
});
afterAll(() => client.end());

describeUnreadable(
  'PostgreSQL',
  async (leaseMs, onUnreadable) => {
    const store = await openPostgresStore({ url, leaseMs, log, onUnreadable });
    onTestFinished(() => store.close());
    await client.query('TRUNCATE payments, attempts, idempotency_keys, customers');
    return { store, run: async (sql) => void (await client.query(sql)) };
  },
  [
    `notification_status = 'lost'`,
    `notification_service = 'Infobip'`,
    `created_at = 'infinity'`,
    `expires_at = '-infinity'`,
    `expires_at = '20000-01-01Z'`,
    `next_attempt_at = '0044-03-15 BC'`,
    `amount_minor = 9007199254740993`,
    `amount_minor = -1`,
    `encoding = ''`,
    `message = NULL`,
    `phone = 'x'`,
    `customer_id = ''`,
  ],
  (id) => [
    `UPDATE attempts SET outcome = 'perhaps' WHERE payment_id = '${id}'`,
    `UPDATE attempts SET started_at = 'infinity' WHERE payment_id = '${id}'`,
    `UPDATE attempts SET provider = '' WHERE payment_id = '${id}'`,
  ],
);
