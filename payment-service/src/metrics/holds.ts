import { Gauge, type Registry } from 'prom-client';
import { providers } from 'service-kit/contract/notification.ts';
import type { ProviderHolds } from '../delivery/provider-holds.ts';
import { createAge } from './scrape.ts';

/** From what is known of the holds: a scrape does not read the store. */
export function exportHolds(registry: Registry, holds: Pick<ProviderHolds, 'of'>): void {
  const ages = providers.map((provider) => ({ provider, ageOf: createAge() }));
  new Gauge({
    name: 'paysms_provider_hold_age_seconds',
    help: 'How long an operator has held the provider; 0 unless it is held',
    labelNames: ['provider'],
    registers: [registry],
    collect() {
      for (const { provider, ageOf } of ages)
        this.set({ provider }, ageOf(holds.of(provider)?.since ?? null) / 1000);
    },
  });
}
