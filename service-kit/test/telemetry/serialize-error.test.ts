import { createLogger } from 'service-kit/http/start.ts';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import { isOutage } from 'service-kit/telemetry/outage.ts';
import { expect, test } from 'vitest';

function logged(err: unknown): { message: string; stack?: string } {
  const lines: string[] = [];
  createLogger({}, { write: (line) => void lines.push(line) }).error({ err }, 'failed');
  return JSON.parse(lines.join('')).err;
}

const refused = Object.assign(new Error('connect ECONNREFUSED'), {
  code: 'ECONNREFUSED',
  syscall: 'connect',
});
const stopping = Object.assign(new Error('terminating connection'), { code: '57P01', severity: 'FATAL' });
const wrongStatement = Object.assign(new Error('no column x'), { code: '42703', severity: 'ERROR' });

test.each([
  ['a refused connection', refused, 'connect ECONNREFUSED'],
  ['a database that stops', new DatabaseError(stopping, false), 'terminating connection (57P01)'],
  ['a database that does not answer', new DatabaseError(new Error('timeout'), true), 'timeout'],
])('given %s, the log has the message and no stack', (_what, error, message) => {
  expect(isOutage(error)).toBe(true);
  expect(logged(error)).toEqual({ type: expect.any(String), message });
});

test.each([
  ['a bug', new TypeError('x is undefined')],
  ['a statement that the database refuses', new DatabaseError(wrongStatement, false)],
  ['a bug within a call of the database', new DatabaseError(new TypeError('x is undefined'), false)],
])('given %s, the log has the stack', (_what, error) => {
  expect(isOutage(error)).toBe(false);
  expect(logged(error).stack).toContain('    at ');
});
