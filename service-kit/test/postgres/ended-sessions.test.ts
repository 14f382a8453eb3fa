import { expect, test, vi } from 'vitest';
import { startPostgresThatEndsSessions } from '../../../test/doubles/postgres-that-ends-sessions.ts';
import { createLogger } from '../../src/http/start.ts';
import { createDatabase } from '../../src/postgres/database.ts';
import { DatabaseError } from '../../src/postgres/database-error.ts';
import { migratePostgres } from '../../src/postgres/migrate.ts';
import { openSession } from '../../src/postgres/session.ts';

const log = createLogger({ level: 'silent' });

test('given a server that ends each session as it opens it, statements reject, and none counts as sent', async () => {
  await using server = await startPostgresThatEndsSessions();
  const database = createDatabase(server.url, log);
  for (let count = 0; count < 20; count += 1) {
    const error = await database.query({ text: 'SELECT 1' }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DatabaseError);
    expect((error as DatabaseError).isUncertain).toBe(false);
  }
  expect(server.sessions()).toBe(20);
  await database.close();
});

test('given such a server, a migration rejects', async () => {
  await using server = await startPostgresThatEndsSessions();
  await expect(
    migratePostgres(server.url, { owner: 'owner', migrations: [], runsBeside: 0, sessions: [] }),
  ).rejects.toBeInstanceOf(DatabaseError);
});

test('given such a server, a connection of its own knows that it is lost', async () => {
  await using server = await startPostgresThatEndsSessions();
  const session = await openSession(server.url).catch(() => undefined);
  if (session) await vi.waitFor(() => expect(session.lost).toBeDefined());
  await session?.end();
});
