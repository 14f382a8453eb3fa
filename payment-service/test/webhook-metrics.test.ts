import { Registry } from 'prom-client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { countWebhookTries, exportWebhooks } from '../src/metrics/webhooks.ts';
import type { WebhookCounts } from '../src/store/events.ts';
import { StoreUnavailable } from '../src/store/store.ts';

const none: WebhookCounts = { pending: 0, dead: 0, oldest_at: null };
const minuteAgo = () => new Date(Date.now() - 60_000).toISOString();

type State = 'closed' | 'open' | 'stopped';

/** The metrics of a store with these counts, and of an endpoint in this state. */
function build(counts: WebhookCounts, state: State = 'closed') {
  const metrics = new Registry();
  const observed = countWebhookTries(metrics, 15_000);
  const store = { countWebhooks: vi.fn(async () => counts) };
  const endpoint = { state };
  exportWebhooks(metrics, store, () => endpoint);
  const read = async (series: string): Promise<number> => {
    const line = (await metrics.metrics()).split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? Number.NaN : Number(line.slice(series.length));
  };
  return { metrics, observed, store, endpoint, read };
}

describe('the tries of webhook deliveries', () => {
  test('are counted from 0, by result', async () => {
    const { observed, read } = build(none);
    const countOf = (result: string) => read(`paysms_webhook_tries_total{result="${result}"}`);
    expect(await Promise.all(['delivered', 'failed', 'dead'].map(countOf))).toEqual([0, 0, 0]);
    for (const result of ['delivered', 'failed', 'delivered', 'dead', 'delivered'] as const)
      observed({ result, durationMs: 5 });
    expect(await Promise.all(['delivered', 'failed', 'dead'].map(countOf))).toEqual([3, 1, 1]);
  });

  test('are measured in seconds, and those that time out counted apart from those before', async () => {
    const { observed, read } = build(none);
    observed({ result: 'delivered', durationMs: 40 });
    observed({ result: 'failed', durationMs: 15_002 });
    const within = (seconds: number) => read(`paysms_webhook_try_duration_seconds_bucket{le="${seconds}"}`);
    expect([await within(0.05), await within(15)]).toEqual([1, 1]);
    expect(await read('paysms_webhook_try_duration_seconds_sum')).toBe(15.042);
  });

  test('given a timeout that is one of the buckets, are measured as well', async () => {
    const metrics = new Registry();
    countWebhookTries(metrics, 1000)({ result: 'failed', durationMs: 900 });
    expect((await metrics.metrics()).match(/_bucket\{le="1"\}/g)).toHaveLength(1);
  });
});

describe('the backlog of webhook deliveries', () => {
  afterEach(() => void vi.useRealTimers());
  const gauges = [
    'paysms_webhook_backlog',
    'paysms_webhook_backlog_oldest_age_seconds',
    'paysms_webhook_dead_letters',
  ];

  test('is shown with the age of its oldest event and the dead letters, by one query a scrape', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const { metrics, store, read } = build({ pending: 7, dead: 2, oldest_at: minuteAgo() });
    expect(await Promise.all(gauges.map(read))).toEqual([7, 60, 2]);
    store.countWebhooks.mockClear();
    await metrics.metrics();
    await metrics.metrics();
    expect(store.countWebhooks).toHaveBeenCalledTimes(2);
  });

  test('given none, is 0', async () => {
    const { read } = build(none);
    expect(await Promise.all(gauges.map(read))).toEqual([0, 0, 0]);
  });

  test('has no sample while the store does not respond, and has one again afterwards', async () => {
    const { metrics, store, read } = build({ pending: 7, dead: 2, oldest_at: minuteAgo() });
    await metrics.metrics();
    store.countWebhooks.mockRejectedValueOnce(new StoreUnavailable('down'));
    const text = await metrics.metrics();
    expect(text).not.toMatch(/^paysms_webhook_(backlog|dead)/m);
    expect(text).toMatch(/^paysms_webhook_endpoint_state\{state="closed"\} 1$/m);
    expect(await read('paysms_webhook_backlog')).toBe(7);
  });
});

test.each([
  'closed',
  'open',
  'stopped',
] as const)('given an endpoint whose state becomes %s, shows this state alone as 1', async (state) => {
  const { metrics, endpoint } = build(none, state === 'closed' ? 'open' : 'closed');
  await metrics.metrics();
  endpoint.state = state;
  const samples = (await metrics.metrics()).matchAll(
    /^paysms_webhook_endpoint_state\{state="(\w+)"\} (\d)/gm,
  );
  const values = Object.fromEntries([...samples].map(([, name, value]) => [name, Number(value)]));
  expect(values).toEqual({ closed: 0, open: 0, stopped: 0, [state]: 1 });
});

test('given no webhook endpoint, no gauge has a sample, and the store is not queried', async () => {
  const metrics = new Registry();
  const countWebhooks = vi.fn(async () => ({ pending: 7, dead: 2, oldest_at: null }));
  exportWebhooks(metrics, { countWebhooks }, undefined);
  const text = await metrics.metrics();
  expect(text.match(/^# TYPE paysms_webhook_\w+ gauge$/gm)).toHaveLength(4);
  expect(text).not.toMatch(/^paysms_webhook_/m);
  expect(countWebhooks).not.toHaveBeenCalled();
});
