import pg from 'pg';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createDatabase } from '../../../../test/postgres-server.ts';
import { flushCounters, recordPrepared, rowsRead, scansOf } from '../../../../test/prepared-plans.ts';
import { createLogger } from '../../../src/http/start.ts';
import { openSendsTable, type SendsTable } from '../../../src/provider/idempotency/sends-table.ts';

/** PostgreSQL plans a prepared statement anew for its first five executions. */
const executions = 6;

test.each([
  ['never analyzed', ''],
  ['analyzed while it was empty', 'VACUUM ANALYZE'],
])(
  'given a large table of sends that was %s, each statement of a replica that began on the empty one uses its index',
  {
    timeout: 60_000,
  },
  async (_, before) => {
    const url = await createDatabase(inject('postgresPort'));
    const prepared = recordPrepared();
    const table = openSendsTable('Aldeamo', url, createLogger({ level: 'silent' }));
    onTestFinished(() => table.close());
    await table.ready();
    const client = new pg.Client(url);
    await client.connect();
    onTestFinished(() => client.end());
    await client.query('ALTER TABLE sends SET (autovacuum_enabled = off)');
    if (before) await client.query(before);
    for (let number = 0; number < executions; number += 1) await useEverything(table, number);
    await client.query(`
    INSERT INTO sends (provider, key, digest, begun_at)
    SELECT 'Aldeamo', 'old-' || n, 'any', now() FROM generate_series(1, 50000) AS n`);

    for (const [name, statement] of prepared) {
      if (name === 'complete_for' || name === 'touch_schema') continue; // of tables with few rows
      const scans = await scansOf(name, statement);
      expect([name, scans.filter((scan) => !/^Index (Only )?Scan on sends$/.test(scan))]).toEqual([name, []]);
    }
    await flushCounters(prepared);
    const read = await rowsRead(client, ['sends']);
    await useEverything(table, executions);
    await flushCounters(prepared);
    const now = await rowsRead(client, ['sends']);
    expect(now.seq - read.seq).toBe(0);
    expect(now.idx - read.idx).toBeLessThan(100);
  },
);

/** Executes every statement of the table. */
async function useEverything(table: SendsTable, number: number): Promise<void> {
  await table.begin({ key: `key-${number}`, digest: 'any' });
  await table.end({ key: `key-${number}`, outcome: { outcome: 'accepted', message_id: 'sms' } });
  await table.find(`key-${number}`);
  await table.cancel(`key-${number}`);
  await table.purge();
  await table.completeForMs();
}
