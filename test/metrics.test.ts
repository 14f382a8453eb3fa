import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startMerchant } from './doubles/merchant.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { scanForLeaks } from './leaks.ts';
import {
  copyConfiguration,
  promtool,
  rulesOfFiles,
  startPrometheus,
  testRules,
  why,
  without,
} from './prometheus.ts';
import { serviceNames, type Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

test.skipIf(without)(
  `Prometheus counts the payments, evaluates each alert, and has samples for each panel${why}`,
  { timeout: 60_000 },
  async () => {
    await using merchant = await startMerchant();
    await using trio = await startProcesses({
      ...merchant.settings,
      ALDEAMO_LATENCY_MS: '5',
      TWILIO_LATENCY_MS: '5',
    });
    await using prometheus = await startPrometheus(trio);
    const payments = trio.url('payment-service');
    const ask = async (query: string) =>
      (await prometheus.query(query)).map(({ metric, value: [, value] }) => [
        metric.provider ?? metric.notification_status ?? metric.state ?? '',
        Number(value),
      ]);

    for (let n = 0; n < 4; n += 1) await pay(payments, { customer_id: '1' });
    await call('POST', `${trio.url('aldeamo-service')}/toggle-failure?failure_rate=1`);
    for (let n = 0; n < 6; n += 1) await pay(payments, { customer_id: '1' });

    await eventually(
      () => ask('paysms_payments_total{notification_status="sent"}'),
      ([sent]) => sent?.[1] === 10,
      10_000,
    );
    const accepted = [
      ['Aldeamo', 4],
      ['Twilio', 6],
    ];
    expect(await ask('paysms_notification_attempts_total{outcome="accepted"}')).toEqual(accepted);
    expect(await ask('paysms_notification_attempts_total{outcome="not_sent"}')).toEqual([
      ['Aldeamo', 3],
      ['Twilio', 0],
    ]);
    expect(await ask('paysms_circuit_state{provider="Aldeamo"} == 1')).toEqual([['Aldeamo', 1]]);
    expect(await ask('paysms_circuit_state{provider="Aldeamo",state="open"}')).toEqual([['Aldeamo', 1]]);
    expect(await ask('paysms_notification_backlog')).toEqual([['', 0]]);
    await eventually(
      () => ask('paysms_webhook_tries_total{result="delivered"}'),
      ([delivered]) => delivered?.[1] === 10,
      10_000,
    );
    expect(await ask('paysms_webhook_endpoint_state{state="closed"}')).toEqual([['closed', 1]]);
    await eventually(
      () => ask('paysms_webhook_backlog'),
      ([backlog]) => backlog?.[1] === 0,
      10_000,
    );
    await eventually(
      async () => JSON.stringify((await ask('paysms_gateway_sends_total{outcome="accepted"}')).sort()),
      (sends) => sends === JSON.stringify(accepted),
      10_000,
    );

    const { body: rules } = await call('GET', `${prometheus.url}/api/v1/rules`);
    expect(JSON.stringify(rules)).toContain('"PrimaryDown"');
    expect(JSON.stringify(rules)).not.toContain('"health":"err"');

    const scrapes = await Promise.all(serviceNames.map(async (name) => scrape(trio, name)));
    for (const text of scrapes) promtool(['check', 'metrics'], text);
    const known = new Set(scrapes.join('\n').match(/^[a-z]\w+|(?<=^# TYPE )\w+/gm));
    known.add('up');
    for (const expression of await expressionsOfAlerts())
      for (const name of metricsOf(expression)) expect([...known]).toContain(name);
    for (const { title, targets } of await panels()) {
      const samples = async () =>
        (await Promise.all(targets.map(({ expr }) => ask(expr.replaceAll('$__rate_interval', '1m'))))).flat();
      await eventually(samples, ({ length }) => length > 0, 5000).catch(() =>
        expect.fail(`${title} is empty`),
      );
    }
  },
);

test.skipIf(without)(
  `promtool accepts the configurations and the alerts of ops/${why}`,
  { timeout: 300_000 }, // it computes for a minute, and for several where other tests run at the same time
  async () => {
    await using copy = await copyConfiguration();
    const folder = copy.path;
    for (const name of ['prometheus.yml', 'prometheus.scale.yml'])
      promtool(['check', 'config', join(folder, name)]);
    await testRules(folder);
  },
);

test('each metric in a rule has the job of this project, and each alert a severity, a job and a place to read on', async () => {
  const rules = await rulesOfFiles();
  const expressions = rules.split(/^ +expr: \|\n/m).slice(1);
  for (const rest of expressions) {
    const [expression = ''] = rest.split(/^(?: {6}- | {8}\w)/m);
    for (const [selector] of expression.matchAll(
      /\b(?!job|le\b)[a-z]+_\w+(?=\{)(\{[^}]*\})?|\bup(\{[^}]*\})?/g,
    ))
      expect(selector).toMatch(/\{job=~?"[^"]*-service"/);
  }
  const alerts = rules.match(/^ +- alert: \w+\n[\s\S]*?(?=^ +- |^groups|(?![\s\S]))/gm) ?? [];
  for (const alert of alerts) {
    const [, name = ''] = /alert: (\w+)/.exec(alert) ?? [];
    expect(alert).toMatch(/severity: (critical|warning)/);
    expect(alert).toContain(`docs/alerts.md#${name.toLowerCase()}'`);
  }
});

/** The metrics of an expression, without what a rule records. */
function metricsOf(expression: string): string[] {
  const bare = expression.replaceAll(/\{[^}]*\}|\b(by|on|without) \([^)]*\)|"[^"]*"|\bjob\w*:[\w:]+/g, ' ');
  return (bare.match(/\b[a-z]\w+_\w+\b|\bup\b/g) ?? []).filter((name) => !functions.includes(name));
}

const functions = [
  ...['histogram_quantile', 'quantile_over_time', 'avg_over_time', 'max_over_time', 'min_over_time'],
  ...['group_left', 'clamp_min'],
];

async function scrape(trio: Trio, service: (typeof serviceNames)[number]): Promise<string> {
  const text = await (await fetch(`${trio.url(service)}/metrics`)).text();
  scanForLeaks(`/metrics of ${service}`, text.split('\n'));
  return text;
}

async function panels(): Promise<{ title: string; targets: { expr: string }[] }[]> {
  return JSON.parse(await readFile('ops/grafana/dashboard.json', 'utf8')).panels;
}

async function expressionsOfAlerts(): Promise<string[]> {
  const ofAlerts = [...(await rulesOfFiles()).matchAll(/expr: \|\n((?: {10}.*\n)+)/g)].map(([, e = '']) => e);
  expect(ofAlerts.length).toBeGreaterThan(0);
  return ofAlerts;
}
