import { checkUpgrade } from 'service-kit/postgres/check-upgrade.ts';
import { runUpgradeCheck } from 'service-kit/upgrade-command.ts';
import { paymentConfigSchema } from './config.ts';
import { schema } from './store/postgres/schema.ts';

await runUpgradeCheck(paymentConfigSchema, ({ DATABASE_URL: url }) =>
  url.startsWith('file:')
    ? {
        answer: 'refused',
        reason:
          'a SQLite file is for one process, so that payment-service cannot run twice: replace it by docker compose up -d --wait payment-service',
      }
    : checkUpgrade(url, 'DATABASE_URL', schema),
);
