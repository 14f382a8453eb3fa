import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import pg from 'pg';
import { providers, receiptStatusSchema } from 'service-kit/contract/notification.ts';
import { readMigrations } from 'service-kit/migrations.ts';
import { migratePostgres } from 'service-kit/postgres/migrate.ts';
import { afterAll, expect, inject, test } from 'vitest';
import { createDatabase } from '../../../test/postgres-server.ts';
import { isPossibleDuplicate } from '../../src/domain/deliveries.ts';
import type { Attempt } from '../../src/domain/payment.ts';
import { copySqliteToPostgres } from '../../src/store/copy/sqlite-to-postgres.ts';
import { schema } from '../../src/store/postgres/schema.ts';
import { openSqliteStore } from '../../src/store/sqlite/store.ts';
import { paymentNumber } from './store-contract.ts';

const directory = mkdtempSync(join(tmpdir(), 'migrated-duplicates-'));
afterAll(() => rmSync(directory, { recursive: true }));

const at = '2026-01-01T00:00:00.000Z';
const anyAttempt = (longest: number): fc.Arbitrary<Attempt> =>
  fc.record({
    provider: fc.constantFrom(...providers),
    outcome: fc.constantFrom('accepted', 'accepted', 'unknown', 'not_sent', 'rejected', null),
    reason: fc.constant(null),
    message_id: fc.constant(null),
    started_at: fc.constant(at),
    duration_ms: fc.constant(7),
    mode: fc.constant(null),
    phone_last4: fc.constant(null),
    deliveries: fc.array(
      fc.record({
        status: fc.constantFrom(...receiptStatusSchema.options),
        reason: fc.constant(null),
        at: fc.constant(at),
      }),
      { maxLength: longest },
    ),
  });

/** A thousand notifications, with up to this many receipts of an attempt. */
const notifications = (receipts: number) =>
  fc
    .sample(fc.array(anyAttempt(receipts), { maxLength: 4 }), 1000)
    .map((attempts, number) => ({ payment_id: paymentNumber(number).payment_id, attempts }));
type Notifications = ReturnType<typeof notifications>;

const idsOf = (all: Notifications) =>
  all.filter(({ attempts }) => isPossibleDuplicate(attempts)).map(({ payment_id }) => payment_id);

const row = {
  ...{
    amount_minor: 100,
    currency: 'COP',
    customer_id: '1',
    message: 'Pago',
    encoding: 'GSM-7',
    segments: 1,
  },
  ...{ notification_status: 'sent', expires_at: at, retries: 0, reopened: 0, fence: 1, created_at: at },
};

function growSqlite(version: number, all: Notifications): string {
  const path = join(directory, `${randomUUID()}.db`);
  using db = new DatabaseSync(path);
  for (const name of ['sms_encoding', 'sms_segments']) db.function(name, (_text) => null); // for texts, of which it has none yet
  const migrations = readMigrations(new URL('../../src/store/sqlite/migrations/', import.meta.url));
  for (const migration of migrations.slice(0, version)) db.exec(migration);
  db.exec(`PRAGMA user_version = ${version}; BEGIN`);
  const names = [...Object.keys(row), 'payment_id', 'attempts'];
  const insert = db.prepare(`INSERT INTO payments (${names}) VALUES (${names.map(() => '?')})`);
  for (const { payment_id, attempts } of all)
    insert.run(...Object.values(row), payment_id, JSON.stringify(attempts));
  db.exec('COMMIT');
  return path;
}

/** The first release with deliveries had version 11 in SQLite, and 5 in PostgreSQL. */
test.each([
  ['5c5c177', 8, 0],
  ['the last release without deliveries', 10, 0],
  ['the first release with deliveries', 11, 3],
  ['the last release without the column', 14, 3],
])(
  'given a SQLite file of %s, marks its possible duplicates, and they stay so in a copy to PostgreSQL',
  {
    timeout: 30_000,
  },
  async (_name, version, receipts) => {
    const all = notifications(receipts);
    const path = growSqlite(version, all);
    await (await openSqliteStore({ path, leaseMs: 1000 })).close();
    using db = new DatabaseSync(path, { readOnly: true });
    const found = db.prepare('SELECT payment_id FROM payments WHERE possible_duplicate = 1 ORDER BY 1').all();
    expect(found.map(({ payment_id }) => payment_id)).toEqual(idsOf(all));

    const url = await createDatabase(inject('postgresPort'));
    await copySqliteToPostgres({ path, url });
    expect(await markedIn(url)).toEqual(idsOf(all));
  },
);

test.each([
  ['5c5c177', 2, 0],
  ['the last release without deliveries', 4, 0],
  ['the first release with deliveries', 5, 3],
  ['the last release without the column', 8, 3],
])(
  'given a PostgreSQL database of %s, marks its possible duplicates',
  {
    timeout: 30_000,
  },
  async (_name, version, receipts) => {
    const all = notifications(receipts);
    const url = await createDatabase(inject('postgresPort'));
    const former = { ...schema, migrations: schema.migrations.slice(0, version), runsBeside: 0 };
    await migratePostgres(url, former);
    const client = new pg.Client(url);
    await client.connect();
    await client.query(
      `INSERT INTO payments (payment_id, ${Object.keys(row)})
     SELECT payment_id, ${Object.keys(row).map((_, index) => `$${index + 2}`)} FROM unnest($1::text[]) AS payment_id`,
      [all.map(({ payment_id }) => payment_id), ...Object.values(row)],
    );
    const attempts = all.flatMap(({ payment_id, attempts: each }) =>
      each.map((attempt, index) => ({ ...attempt, payment_id, number: index + 1 })),
    );
    const columns = [
      'payment_id',
      'number',
      'provider',
      'outcome',
      'started_at',
      ...(receipts ? ['deliveries'] : []),
    ];
    await client.query(
      `INSERT INTO attempts (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::attempts, $1)`,
      [JSON.stringify(attempts)],
    );
    await client.end();
    await migratePostgres(url, schema);
    expect(await markedIn(url)).toEqual(idsOf(all));
  },
);

async function markedIn(url: string): Promise<string[]> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query('SELECT payment_id FROM payments WHERE possible_duplicate ORDER BY 1');
  await client.end();
  return rows.map(({ payment_id }) => payment_id);
}
