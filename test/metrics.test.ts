import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';
import { call, pay } from './http.ts';
import { scanForLeaks } from './leaks.ts';
import { serviceNames, type Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

const without = reasonNotToUsePrometheus();
if (without && process.env.REQUIRE_PROMETHEUS === '1')
  throw new Error(`REQUIRE_PROMETHEUS=1, but ${without}`);
const why = without ? ` (skipped: ${without})` : '';

interface Result {
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

test.skipIf(without)(
  `Prometheus counts the payments, and evaluates each alert and panel${why}`,
  { timeout: 60_000 },
  async () => {
    await using trio = await startProcesses({ ALDEAMO_LATENCY_MS: '5', TWILIO_LATENCY_MS: '5' });
    const folder = await configure(trio);
    const prometheus = await startPrometheus(folder);
    const payments = trio.url('payment-service');
    const ask = async (query: string) => {
      const answer = await call<Result>(
        'GET',
        `${prometheus}/api/v1/query?query=${encodeURIComponent(query)}`,
      );
      expect(answer.status, query).toBe(200);
      return answer.body.data.result.map(({ metric, value: [, value] }) => [
        metric.provider ?? metric.notification_status ?? metric.state ?? '',
        Number(value),
      ]);
    };

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
      async () => JSON.stringify((await ask('paysms_gateway_sends_total{outcome="accepted"}')).sort()),
      (sends) => sends === JSON.stringify(accepted),
      10_000,
    );

    const { body: rules } = await call('GET', `${prometheus}/api/v1/rules`);
    expect(JSON.stringify(rules)).toContain('"PrimaryDown"');
    expect(JSON.stringify(rules)).not.toContain('"health":"err"');

    const scrapes = await Promise.all(serviceNames.map(async (name) => scrape(trio, name)));
    for (const text of scrapes) promtool(['check', 'metrics'], text);
    const known = new Set(scrapes.join('\n').match(/^[a-z]\w+|(?<=^# TYPE )\w+/gm));
    known.add('up');
    for (const expression of await expressions()) {
      await ask(expression.replaceAll('$__rate_interval', '1m'));
      const bare = expression.replaceAll(/\{[^}]*\}|\b(by) \([^)]*\)|"[^"]*"/g, ' ');
      for (const name of bare.match(/\b[a-z]\w+_\w+\b|\bup\b/g) ?? [])
        if (!ofPrometheus.includes(name)) expect([...known]).toContain(name);
    }
  },
);

test.skipIf(without)(`promtool accepts the configuration and the alerts of ops/${why}`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ops-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp('ops/prometheus', folder, { recursive: true });
  await writeFile(join(folder, 'service-token'), 'token');
  promtool(['check', 'config', join(folder, 'prometheus.yml')]);
  promtool(['check', 'rules', join(folder, 'alerts.yml')]);
  promtool(['test', 'rules', join(folder, 'alerts.test.yml')]);
});

/** The names in its expressions that are no metrics. */
const ofPrometheus = ['histogram_quantile', 'max_over_time', 'min_over_time', '__rate_interval'];

async function scrape(trio: Trio, service: (typeof serviceNames)[number]): Promise<string> {
  const text = await (await fetch(`${trio.url(service)}/metrics`)).text();
  scanForLeaks(`/metrics of ${service}`, text.split('\n'));
  return text;
}

async function expressions(): Promise<string[]> {
  const { panels } = JSON.parse(await readFile('ops/grafana/dashboard.json', 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  const alerts = await readFile('ops/prometheus/alerts.yml', 'utf8');
  const ofAlerts = [...alerts.matchAll(/expr: \|\n([\s\S]*?)\n +for:/g)].map(([, expr = '']) => expr);
  expect(ofAlerts.length).toBeGreaterThan(0);
  return [...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)), ...ofAlerts];
}

/** Copies ops/prometheus, with the addresses of the trio and a shorter interval. */
async function configure(trio: Trio): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp('ops/prometheus', folder, { recursive: true });
  await writeFile(join(folder, 'service-token'), 'token');
  const file = join(folder, 'prometheus.yml');
  let config = (await readFile(file, 'utf8')).replaceAll('15s', '250ms');
  for (const name of serviceNames)
    config = config.replace(new RegExp(`${name}:80\\d\\d`), new URL(trio.url(name)).host);
  await writeFile(file, config);
  return folder;
}

async function startPrometheus(folder: string): Promise<string> {
  const [port] = await freePorts(1);
  const child = spawn(
    'prometheus',
    [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const closed = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  const url = `http://127.0.0.1:${port}`;
  const ready = () =>
    fetch(`${url}/-/ready`).then(
      ({ status }) => status,
      () => 0,
    );
  await eventually(ready, (status) => status === 200, 20_000);
  return url;
}

function promtool(args: string[], input = ''): void {
  execFileSync('promtool', args, { input, stdio: 'pipe' });
}

function reasonNotToUsePrometheus(): string | undefined {
  try {
    for (const name of ['prometheus', 'promtool']) execFileSync(name, ['--version'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return "prometheus and promtool are not installed (Debian's package prometheus)";
  }
}
