import type { FastifyBaseLogger } from 'fastify';
import type { Provider } from '../contract/notification.ts';

/** Trouble that ends only when a person acts: one line when it begins and one when it ends, however many sends it meets. */
export interface Alerts {
  begin(alert: string): void;
  /** A send was accepted: whatever it was is over. */
  end(): void;
}

export function createAlerts(provider: Provider, log: FastifyBaseLogger): Alerts {
  const begun = new Set<string>();
  return {
    begin(alert) {
      if (begun.has(alert)) return;
      begun.add(alert);
      log.error({ provider, alert }, 'the provider refuses to send until the account is put right');
    },
    end() {
      if (begun.size === 0) return;
      log.info({ provider, alerts_ended: [...begun] }, 'the provider sends again');
      begun.clear();
    },
  };
}
