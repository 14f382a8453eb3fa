import { checkUpgrade } from '../postgres/check-upgrade.ts';
import { withPassword } from '../postgres/database-settings.ts';
import { runUpgradeCheck } from '../upgrade-command.ts';
import { schema } from './idempotency/schema.ts';
import type { ProviderConfig } from './settings.ts';
import type { ProviderService } from './start-provider.ts';

/** Whether replicas of this release of a provider service may start beside those that run. */
export const checkProviderUpgrade = <Config extends ProviderConfig>({
  configSchema,
}: ProviderService<Config>): Promise<void> =>
  runUpgradeCheck(configSchema, ({ SENDS_DATABASE_URL: url, SENDS_DATABASE_PASSWORD: password }) =>
    url
      ? checkUpgrade(withPassword(url, password), 'SENDS_DATABASE_URL', schema)
      : {
          answer: 'refused',
          reason:
            'without SENDS_DATABASE_URL each process of a provider service knows its own sends alone, so that it cannot run twice: replace it by docker compose up -d --wait',
        },
  );
