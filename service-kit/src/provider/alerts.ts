import type { FastifyBaseLogger } from 'fastify';
import type { Provider } from '../contract/notification.ts';

/** Faults that end only when a person acts: one log line at the beginning and one at the end, however many sends they fail. */
interface Alerts {
  begin(alert: string): void;
  /** Called after an accepted send, which ends all alerts. */
  end(): void;
}

export function createAlerts(provider: Provider, log: FastifyBaseLogger): Alerts {
  const begun = new Set<string>();
  return {
    begin(alert) {
      if (begun.has(alert)) return;
      begun.add(alert);
      log.error(
        { provider, alert },
        'the provider refuses all sends until the account or its URL is corrected',
      );
    },
    end() {
      if (begun.size === 0) return;
      log.info({ provider, alerts_ended: [...begun] }, 'the provider accepts sends again');
      begun.clear();
    },
  };
}
