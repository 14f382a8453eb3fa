import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { EventStore } from '../store/events.ts';
import { createAge, oncePerScrape } from './scrape.ts';

const results = ['delivered', 'failed', 'dead'] as const;
const states = ['closed', 'open', 'stopped'] as const;

/** The end of one request to the webhook endpoint. `dead`: it failed, and no try follows. */
interface WebhookTry {
  result: (typeof results)[number];
  durationMs: number;
}

/** What the worker of this process reports of the endpoint. `stopped`: it answered 410, and is sent nothing more. */
type EndpointReport = () => { state: (typeof states)[number] };

/**
 * Counts the requests to the webhook endpoint.
 *
 * @param timeoutMs of one request; by default that of the settings
 */
export function countWebhookTries(registry: Registry, timeoutMs = 15_000): (end: WebhookTry) => void {
  const registers = [registry];
  const tries = new Counter({
    name: 'paysms_webhook_tries_total',
    help: 'Requests to the webhook endpoint, by result; dead: the last try failed, and no other follows',
    labelNames: ['result'],
    registers,
  });
  const durations = new Histogram({
    name: 'paysms_webhook_try_duration_seconds',
    help: 'Duration of the requests to the webhook endpoint',
    buckets: [...new Set([0.05, 0.25, 1, 5, timeoutMs / 1000])].toSorted((one, other) => one - other),
    registers,
  });
  // Exported as 0 before the first event, because `rate()` does not see the step from no sample to 1.
  for (const result of results) tries.inc({ result }, 0);
  return ({ result, durationMs }) => {
    tries.inc({ result });
    durations.observe(durationMs / 1000);
  };
}

/**
 * Reads the store and the state of the endpoint at each scrape. The gauges of the store have no sample while the database is down,
 * and none of the gauges has one without an endpoint (`report` is undefined), because what waits in the store is not late then.
 */
export function exportWebhooks(
  registry: Registry,
  store: Pick<EventStore, 'countWebhooks'>,
  report: EndpointReport | undefined,
): void {
  const registers = [registry];
  const counts = oncePerScrape(async () => (report ? store.countWebhooks() : undefined));
  const oldestAgeMs = createAge();
  new Gauge({
    name: 'paysms_webhook_backlog',
    help: 'Events in the store whose webhook delivery is pending, claimed ones included',
    registers,
    async collect() {
      setOrRemove(this, (await counts())?.pending);
    },
  });
  new Gauge({
    name: 'paysms_webhook_backlog_oldest_age_seconds',
    help: 'Age of the oldest event whose webhook delivery is pending; 0 if there is none',
    registers,
    async collect() {
      const current = await counts();
      setOrRemove(this, current && oldestAgeMs(current.oldest_at) / 1000);
    },
  });
  new Gauge({
    name: 'paysms_webhook_dead_letters',
    help: 'Events in the store whose webhook delivery no retry will pick up',
    registers,
    async collect() {
      setOrRemove(this, (await counts())?.dead);
    },
  });
  new Gauge({
    name: 'paysms_webhook_endpoint_state',
    help: '1 for the state of the webhook endpoint as this process sees it; 0 for the others',
    labelNames: ['state'],
    registers,
    collect() {
      const current = report?.().state;
      if (current) for (const state of states) this.set({ state }, state === current ? 1 : 0);
    },
  });
}

function setOrRemove(gauge: Gauge, value: number | undefined): void {
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}
