import { parseEnv } from 'node:util';
import { ConfigurationError } from 'service-kit/http/configuration.ts';
import { expect, test } from 'vitest';
import { readSettings } from '../scripts/settings.ts';
import { readPage } from './pages.ts';

test('given the .env of docs/providers.md as it is there, the start refuses each of its values', async () => {
  const { dotenv = '' } = await readPage('docs/providers.md');
  const placeholders = parseEnv(dotenv);
  try {
    readSettings(placeholders);
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    expect(error.issues.map(({ name }) => name).toSorted()).toEqual(Object.keys(placeholders).toSorted());
    for (const value of Object.values(placeholders)) expect(error.message).not.toContain(value);
  }
});
