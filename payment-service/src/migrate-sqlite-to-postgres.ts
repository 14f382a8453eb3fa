import process from 'node:process';
import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { loadEnvFile } from 'service-kit/http/env-file.ts';
import { postgresUrl } from 'service-kit/postgres/database-settings.ts';
import { z } from 'zod';
import { databaseSettings, sqliteUrl, storeUrl, wrongDatabase } from './database-url.ts';
import type { Count } from './store/copy/copy-counts.ts';
import { type CopyProgress, copySqliteToPostgres } from './store/copy/sqlite-to-postgres.ts';

/**
 * `npm run migrate:sqlite-to-postgres`: copies the database of an installation to PostgreSQL. It can be interrupted and run
 * again. The exit code is 0 if both databases have the same content.
 */

const usage = `Usage: npm run migrate:sqlite-to-postgres -- file:<path> [postgres://<user>:<password>@<host>/<database>]

Without the second URL it copies to that of DATABASE_URL and DATABASE_PASSWORD. Stop payment-service first, and start it with the
new DATABASE_URL afterwards.`;

/** The interval of progress reports within a table, in ms. */
const reportEveryMs = 1000;

process.exitCode = await run(process.argv.slice(2).map((url) => url.trim()));

async function run([source = '', ...rest]: string[]): Promise<number> {
  const [target, ...others] = rest.length > 0 ? rest : [urlOfSettings(source)];
  if (target === undefined) return 1;
  const wrong = [sqliteUrl().safeParse(source).error, postgresUrl().safeParse(target).error];
  const [given] = wrong.flatMap((error) => error?.issues ?? []);
  if (given || others.length > 0) {
    const reason = source && given ? `\n\nOne of the two URLs is invalid: it ${given.message}.` : '';
    process.stderr.write(`${usage}${reason}\n`);
    return 1;
  }
  try {
    const counts = await copySqliteToPostgres({
      path: source.slice('file:'.length),
      url: target,
      report: createReport(),
    });
    process.stdout.write(`\n${tableOf(counts)}\n\n`);
    if (counts.every(({ source, target }) => source === target)) {
      process.stdout.write('All records are in PostgreSQL.\n');
      return 0;
    }
    process.stderr.write(
      'The databases differ, because a service has written to one of them since the copy began. ' +
        'Stop the service, and start again with an empty PostgreSQL database.\n',
    );
  } catch (error) {
    process.stderr.write(`The payments could not be copied: ${(error as Error).message}\n`);
  }
  return 1;
}

/** The URL of the settings of payment-service, so that a password is in no list of processes; undefined if they are wrong. */
function urlOfSettings(source: string): string | undefined {
  if (source === '') return '';
  try {
    loadEnvFile(process.env);
    const schema = z.object(databaseSettings()).check(({ value, issues }) => {
      issues.push(...wrongDatabase(value));
    });
    return storeUrl(readConfiguration(schema, process.env));
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
}

function createReport() {
  let reportedAt = performance.now();
  return ({ table, copied, total }: CopyProgress) => {
    const now = performance.now();
    if (copied < total && now - reportedAt < reportEveryMs) return;
    reportedAt = now;
    process.stdout.write(`${table}: ${copied} of ${total}\n`);
  };
}

function tableOf(counts: Count[]): string {
  const rows = counts.map(({ of, source, target }) => [of, `${source}`, `${target}`] as const);
  const nameWidth = Math.max(...rows.map(([name]) => name.length));
  const width = Math.max(
    'PostgreSQL'.length,
    ...rows.flatMap(([, ...numbers]) => numbers.map((text) => text.length)),
  );
  return [['', 'SQLite', 'PostgreSQL'] as const, ...rows]
    .map(([name, ...numbers]) =>
      [name.padEnd(nameWidth), ...numbers.map((text) => text.padStart(width))].join('  '),
    )
    .join('\n');
}
