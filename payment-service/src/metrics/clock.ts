import { Gauge, type Registry } from 'prom-client';
import type { ClockWatch } from '../delivery/clock-watch.ts';

/** Compares the clocks at each scrape. */
export function exportClock(registry: Registry, clock: Pick<ClockWatch, 'aheadMs'>): void {
  new Gauge({
    name: 'paysms_clock_ahead_seconds',
    help: 'How far the wall clock was set ahead in the last five minutes, by the monotonic clock; negative if it was set back',
    registers: [registry],
    collect() {
      this.set(clock.aheadMs() / 1000);
    },
  });
}
