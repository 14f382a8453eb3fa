import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readSettings } from '../scripts/settings.ts';

const deliveriesOf = (env: Record<string, string>) => {
  const { aldeamo, twilio, plans } = readSettings(env);
  for (const { settings } of plans)
    expect(settings).toMatchObject({
      ALDEAMO_DELIVERY_MS: String(aldeamo.ALDEAMO_DELIVERY_MS),
      TWILIO_DELIVERY_MS: String(twilio.TWILIO_DELIVERY_MS),
    });
  return [aldeamo.ALDEAMO_DELIVERY_MS, twilio.TWILIO_DELIVERY_MS];
};

test('npm start lets the sandboxes deliver after 1500 ms, unless another time is set', () => {
  expect(deliveriesOf({})).toEqual([1500, 1500]);
  expect(deliveriesOf({ ALDEAMO_DELIVERY_MS: '', TWILIO_DELIVERY_MS: '7' })).toEqual([1500, 7]);
});

test('docker compose does, too', async () => {
  const compose = await readFile('docker-compose.yml', 'utf8');
  for (const name of ['ALDEAMO_DELIVERY_MS', 'TWILIO_DELIVERY_MS'])
    expect(compose).toContain(`\n      ${name}: \${${name}:-1500}\n`);
});
