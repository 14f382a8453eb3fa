import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { readMigrations } from 'service-kit/migrations.ts';
import { migratePostgres } from 'service-kit/postgres/migrate.ts';
import type { Payment } from '../../src/domain/payment.ts';
import { schema } from '../../src/store/postgres/schema.ts';
import { paymentNumber } from './store-contract.ts';

/** Databases as releases wrote them before attempts had deliveries. What they can contain is written here as they wrote it. */

/** The schema versions of a release in both databases. */
export const formerReleases = [
  { name: 'of 5c5c177', sqlite: 8, postgres: 2 },
  { name: 'of the last release without deliveries', sqlite: 10, postgres: 4 },
];
/** They have the same payments, of which its migrations no longer change any. */
export const releasesWithoutEvents = [
  ...formerReleases,
  { name: 'of the last release without events', sqlite: 13, postgres: 7 },
];
type Release = (typeof formerReleases)[number];

interface FormerAttempt {
  provider: 'Aldeamo' | 'Twilio';
  outcome: 'accepted' | 'rejected' | 'not_sent' | 'unknown';
  reason: string | null;
  message_id: string | null;
}

interface FormerPayment extends Pick<Payment, 'payment_id' | 'notification_service' | 'reason'> {
  notification_status: 'pending' | 'sent' | 'delivered' | 'failed';
  next_attempt_at: string | null;
  /** When the outbox claims it. */
  due_at: string | null;
  attempts: FormerAttempt[];
}

const attempt = (
  provider: FormerAttempt['provider'],
  outcome: FormerAttempt['outcome'],
  reason: string | null,
  message_id: string | null = null,
): FormerAttempt => ({ provider, outcome, reason, message_id });

const past = '2026-01-02T03:04:05.678Z';
const expires_at = '2999-01-01T00:00:00.000Z';
const refused = attempt('Aldeamo', 'not_sent', 'connection_refused');
const accepted = attempt('Twilio', 'accepted', null, 'SM1');
const idle = { reason: null, next_attempt_at: null, due_at: null };

/** What a receipt said was written over the outcome of the attempt, which kept its message id. */
const rewritten = (outcome: 'not_sent' | 'rejected', reason: string): Omit<FormerPayment, 'payment_id'> => ({
  ...idle,
  notification_status: 'failed',
  notification_service: null,
  reason,
  attempts: [refused, attempt('Twilio', outcome, reason, 'SM1')],
});

const open = { notification_status: 'pending', notification_service: null } as const;
const formerPayments = {
  waiting: { ...open, reason: 'daily_limit', next_attempt_at: past, due_at: past, attempts: [] },
  held: {
    ...open,
    reason: 'unknown_outcome',
    next_attempt_at: null,
    due_at: expires_at,
    attempts: [attempt('Aldeamo', 'unknown', 'deadline_passed')],
  },
  pending: { ...open, reason: null, next_attempt_at: expires_at, due_at: expires_at, attempts: [refused] },
  sent: {
    ...idle,
    notification_status: 'sent',
    notification_service: 'Twilio',
    attempts: [refused, accepted],
  },
  delivered: {
    ...idle,
    notification_status: 'delivered',
    notification_service: 'Twilio',
    attempts: [refused, accepted],
  },
  undelivered: rewritten('not_sent', 'twilio_30003'),
  optedOut: rewritten('rejected', 'twilio_21610'),
} as const satisfies Record<string, Omit<FormerPayment, 'payment_id'>>;
export type FormerName = keyof typeof formerPayments;

const names = Object.keys(formerPayments) as FormerName[];
export const idOf = (name: FormerName) => paymentNumber(names.indexOf(name) + 1).payment_id;

const written = names.map((name): FormerPayment => ({ payment_id: idOf(name), ...formerPayments[name] }));

/** The columns that all of them share. */
const common = {
  amount_minor: 100,
  currency: 'COP',
  customer_id: '123',
  phone: '+573001234567',
  message: 'Pago recibido',
  encoding: 'GSM-7',
  segments: 1,
  expires_at,
  retries: 1,
  reopened: 0,
  fence: 3,
  created_at: '2026-01-01T00:00:00.000Z',
};
const times = { started_at: '2026-01-01T00:00:00.007Z', duration_ms: 12 };

export function growSqlite(path: string, release: Release): void {
  const db = new DatabaseSync(path);
  for (const name of ['sms_encoding', 'sms_segments']) db.function(name, (_text) => null); // for texts, of which it has none yet
  const migrations = readMigrations(new URL('../../src/store/sqlite/migrations/', import.meta.url));
  for (const migration of migrations.slice(0, release.sqlite)) db.exec(migration);
  db.exec(`PRAGMA user_version = ${release.sqlite}`);
  for (const { attempts, due_at, ...payment } of written) {
    const row = {
      ...common,
      ...payment,
      due_at: due_at && Date.parse(due_at),
      attempts: JSON.stringify(attempts.map((each) => ({ ...each, ...times }))),
    };
    db.prepare(insertInto('payments', row, (_, at) => `?${at + 1}`)).run(...Object.values(row));
  }
  db.close();
}

export async function growPostgres(url: string, release: Release): Promise<void> {
  const migrations = schema.migrations.slice(0, release.postgres);
  await migratePostgres(url, { ...schema, migrations, runsBeside: 0 });
  const client = new pg.Client(url);
  await client.connect();
  const insert = (table: string, row: object) =>
    client.query(
      insertInto(table, row, (_, at) => `$${at + 1}`),
      Object.values(row),
    );
  for (const { attempts, ...payment } of written) {
    await insert('payments', { ...common, ...payment });
    for (const [index, each] of attempts.entries())
      await insert('attempts', { payment_id: payment.payment_id, number: index + 1, ...each, ...times });
  }
  await client.end();
}

const insertInto = (table: string, row: object, place: (name: string, at: number) => string) =>
  `INSERT INTO ${table} (${Object.keys(row)}) VALUES (${Object.keys(row).map(place)})`;
