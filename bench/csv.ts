import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { growSqlite } from './find.ts';
import { startServices } from './services.ts';
import { trio } from './systems.ts';

export interface Csv {
  payments: number;
  seconds: number;
  bytes: number;
  /** Of payment-service, by the share of the payments that was read. */
  residentMb: Record<string, number>;
  /** The longest request for a page meanwhile; one begins 100 ms after the one before. */
  longestPageMs: number;
}

export async function measureCsvOfSqlite(payments: number): Promise<Csv> {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'csv-'));
  const path = join(directory.path, 'payments.db');
  growSqlite(path, payments);
  return await measureCsv(`file:${path}`, payments);
}

/** Measures the list of all payments of this database as CSV. */
async function measureCsv(databaseUrl: string, payments: number): Promise<Csv> {
  await using services = await startServices({
    names: trio,
    settings: { DATABASE_URL: databaseUrl },
  });
  const url = services.url('payment-service');
  const residentMb = async () => (await services.usage('payment-service')).residentMb;
  const measured = [await residentMb()];
  let longestPageMs = 0;
  let isRead = false;
  const readPages = async () => {
    for (; !isRead; await delay(100)) {
      const started = performance.now();
      await (await fetch(`${url}/payments`)).arrayBuffer();
      longestPageMs = Math.max(longestPageMs, performance.now() - started);
    }
  };
  const pages = readPages();
  const started = performance.now();
  const response = await fetch(`${url}/payments`, { headers: { accept: 'text/csv' } });
  let [lines, bytes] = [-1, 0]; // the first has the names
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    for (const byte of chunk) if (byte === 10) lines += 1;
    if (lines >= (measured.length * payments) / 10) measured.push(await residentMb());
  }
  isRead = true;
  await pages;
  if (lines !== payments) throw new Error(`${lines} of ${payments} payments were read`);
  return {
    payments,
    seconds: (performance.now() - started) / 1000,
    bytes,
    residentMb: Object.fromEntries(measured.map((mb, tenths) => [`${10 * tenths}%`, mb])),
    longestPageMs,
  };
}
