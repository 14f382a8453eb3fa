import { readConfiguration } from 'service-kit/http/configuration.ts';
import { expect, test } from 'vitest';
import { paymentConfigSchema } from '../../src/config.ts';

const read = (env: Record<string, string>) => readConfiguration(paymentConfigSchema, env);

test('history is kept for 30 days, and statistics are kept, unless the settings say otherwise', () => {
  expect(read({})).toMatchObject({ HISTORY_RETENTION_MS: 30 * 86_400_000, STATISTICS: true });
  const off = { HISTORY_RETENTION_MS: '0', STATISTICS: 'false' };
  expect(read(off)).toMatchObject({ HISTORY_RETENTION_MS: 0, STATISTICS: false });
});

test.each([
  [{ HISTORY_RETENTION_MS: '-1' }, 'HISTORY_RETENTION_MS: must be a whole number'],
  [{ HISTORY_RETENTION_MS: '315576000001' }, 'HISTORY_RETENTION_MS: must be at most 315576000000'],
  [{ STATISTICS: 'yes' }, 'STATISTICS: must be true or false'],
])('given %j, the configuration says what is wrong', (env, message) => {
  expect(() => read(env)).toThrow(message);
});
