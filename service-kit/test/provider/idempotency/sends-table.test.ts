import { createLogger } from 'service-kit/http/start.ts';
import { expect, test } from 'vitest';
import { openSendsTable } from '../../../src/provider/idempotency/sends-table.ts';

test('given a database that is not there, the log has one line with the setting and the remedy', async () => {
  const lines: string[] = [];
  const log = createLogger({}, { write: (line) => void lines.push(line) });
  const table = openSendsTable('Aldeamo', 'postgres://payments:sekret@127.0.0.1:1/sends', log);
  await expect(table.ready()).rejects.toThrow('ECONNREFUSED');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    'the idempotency store cannot be opened; nothing is sent until it can: no PostgreSQL listens at 127.0.0.1:1: start it, or correct SENDS_DATABASE_URL',
  ]);
});
