import { checkUpgrade } from 'service-kit/postgres/check-upgrade.ts';
import { runUpgradeCheck } from 'service-kit/upgrade-command.ts';
import { paymentConfigSchema } from './config.ts';
import { storeUrl } from './database-url.ts';
import { schema } from './store/postgres/schema.ts';

await runUpgradeCheck(paymentConfigSchema, (config) =>
  config.DATABASE_URL.startsWith('file:')
    ? {
        answer: 'refused',
        reason:
          'a SQLite file is for one process, so that payment-service cannot run twice: replace it by docker compose up -d --wait payment-service',
      }
    : checkUpgrade(storeUrl(config), 'DATABASE_URL', schema),
);
