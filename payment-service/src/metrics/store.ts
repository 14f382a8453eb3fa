import { Counter, Gauge, type Registry } from 'prom-client';
import { heldReasons } from '../domain/bounds.ts';
import type { Store, UnreadableObserver } from '../store/store.ts';
import { createAge, oncePerScrape } from './scrape.ts';

/** Counts the reads, the outbox's included, that met a payment which cannot be read: one a lease for each that is due. */
export function countUnreadable(registry: Registry): UnreadableObserver {
  const unreadable = new Counter({
    name: 'paysms_unreadable_payments_total',
    help: 'Failures to read the record of a payment; the log has its payment_id',
    registers: [registry],
  });
  return () => unreadable.inc();
}

/**
 * Reads the store at each scrape. Its values are the same in all processes that share it. A gauge has no sample while the
 * database is down, because 0 would look like an empty backlog.
 */
export function exportStore(registry: Registry, store: Pick<Store, 'check' | 'backlog' | 'countHeld'>): void {
  const registers = [registry];
  const backlog = oncePerScrape(() => store.backlog());
  new Gauge({
    name: 'paysms_store_up',
    help: '1 if the store accepts a durable write; 0 if it does not, so that payments are refused',
    registers,
    async collect() {
      this.set(
        await store.check().then(
          () => 1,
          () => 0,
        ),
      );
    },
  });
  new Gauge({
    name: 'paysms_notification_backlog',
    help: 'Payments in the store whose notification is pending, claimed ones included',
    registers,
    async collect() {
      const current = await backlog();
      if (current) this.set(current.size);
      else this.remove();
    },
  });
  exportHeld(registry, store);
  const oldestAgeMs = createAge();
  new Gauge({
    name: 'paysms_notification_backlog_oldest_age_seconds',
    help: 'Age of the oldest payment of the backlog; 0 if there is none',
    registers,
    async collect() {
      const current = await backlog();
      if (current) this.set(oldestAgeMs(current.oldest_at) / 1000);
      else this.remove();
    },
  });
}

/** Reads at each scrape how many notifications are held, and why. No sample while the database is down, as above. */
function exportHeld(registry: Registry, store: Pick<Store, 'countHeld'>): void {
  new Gauge({
    name: 'paysms_notifications_held',
    help: 'Notifications in the store that are held, by reason',
    labelNames: ['reason'],
    registers: [registry],
    async collect() {
      this.reset();
      const held = await store.countHeld().catch(() => undefined);
      if (held) for (const reason of heldReasons) this.set({ reason }, held[reason] ?? 0);
    },
  });
}
