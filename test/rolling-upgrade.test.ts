import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { schema } from '../payment-service/src/store/postgres/schema.ts';
import { startTcpProxy } from './doubles/tcp-proxy.ts';
import { eventually } from './eventually.ts';
import { type Answer, call } from './http.ts';
import { type OneService, spawnService, startOneService } from './one-service.ts';
import { startPostgres } from './postgres-server.ts';
import { extractRelease, hasCommit } from './releases.ts';
import { type LogLine, parseLog, type ServiceName } from './trio.ts';

/** A release beside which this one does not run, and which does not record its replicas. */
const former = '5c5c177';
const current = '.';
const width = 6;
const ofThisRelease = `this release has schema version ${schema.migrations.length} of payment-service`;
const beside =
  `this release, with schema version ${schema.migrations.length} of payment-service, cannot run beside the running ` +
  '2 of a release that does not record itself: stop all replicas of payment-service, then start it';
const faults = {
  failure_rate: 0.2,
  cut_before_rate: 0.02,
  cut_after_rate: 0.02,
  late_rate: 0.01,
  late_ms: 1500,
};

interface First {
  key: string;
  answer: Answer<PaymentView>;
}

test.skipIf(!hasCommit(former))(
  `given a load, replicas of ${former} stop before those of this release start, which are then replaced one by one, and nothing is lost or doubled`,
  { timeout: 120_000 },
  async () => {
    using before = extractRelease(former);
    await using postgres = await startPostgres();
    const url = await postgres.createDatabase();
    const ledgers = mkdtempSync(join(tmpdir(), 'ledgers-'));
    onTestFinished(() => rmSync(ledgers, { recursive: true }));
    await using aldeamo = await startTcpProxy(0);
    await using twilio = await startTcpProxy(0);
    const fronts = { 'aldeamo-service': aldeamo, 'twilio-service': twilio };
    const settings = {
      DATABASE_URL: url,
      SENDS_DATABASE_URL: url,
      ALDEAMO_SERVICE_URL: `http://127.0.0.1:${aldeamo.port}`,
      TWILIO_SERVICE_URL: `http://127.0.0.1:${twilio.port}`,
      ALDEAMO_LATENCY_MS: '5',
      TWILIO_LATENCY_MS: '5',
      GATEWAY_TIMEOUT_MS: '800',
      PROVIDER_TIMEOUT_MS: '1000',
      CIRCUIT_RESET_TIMEOUT_MS: '1500',
      NOTIFICATION_RETRY_BASE_MS: '300',
      NOTIFICATION_RETRY_MAX_MS: '1000',
      NOTIFICATION_LEASE_MS: '2500',
    };
    let started = 0;
    const lines: string[] = [];

    async function start(name: ServiceName, release: string): Promise<OneService> {
      started += 1;
      const replica = `${name}-${started}`;
      const ledger = join(ledgers, replica);
      const own = { REPLICA_NAME: replica, ALDEAMO_LEDGER_FILE: ledger, TWILIO_LEDGER_FILE: ledger };
      const service = await startOneService(name, { release, settings: { ...settings, ...own } });
      if (service.child.stdout) createInterface(service.child.stdout).on('line', (line) => lines.push(line));
      if (name !== 'payment-service') await call('POST', `${service.url}/sandbox`, faults);
      return service;
    }

    async function stop({ child, ended }: OneService): Promise<void> {
      child.kill('SIGTERM');
      expect(await ended).toEqual([0, null]);
    }

    const providers = new Map<keyof typeof fronts, OneService>();
    async function replaceProvider(name: keyof typeof fronts, release: string): Promise<void> {
      const old = providers.get(name);
      const started = await start(name, release);
      providers.set(name, started);
      fronts[name].moveTo(Number(new URL(started.url).port));
      if (old) await stop(old);
    }

    let payments: OneService[] = [];
    async function replacePayments(release: string): Promise<void> {
      for (const old of [...payments]) {
        payments.push(await start('payment-service', release));
        await stop(old); // requests still reach it, as they do from a balancer that has not noticed
        payments = payments.filter((each) => each !== old);
      }
    }
    /** Starts a replica beside those of another release, which one of the two forbids: it is not ready, and its log has the reason. */
    async function startRefused(release: string, reason: RegExp): Promise<OneService> {
      const refused = await spawnService('payment-service', { release, settings });
      let logged = '';
      refused.child.stdout?.on('data', (chunk) => {
        logged += chunk;
      });
      await eventually(
        async () => logged,
        (text) => reason.test(text),
        20_000,
      );
      expect(await readinessOf(refused)).toBe(503);
      return refused;
    }
    const replaceProviders = (release: string) =>
      Promise.all([replaceProvider('aldeamo-service', release), replaceProvider('twilio-service', release)]);

    let turn = 0;
    function nextUrl(): string {
      turn += 1;
      return payments[turn % payments.length]?.url ?? '';
    }
    const answers: First[] = [];
    let flowing = true;
    async function payInSequence(of: number): Promise<void> {
      for (let count = 1; flowing; count += 1) {
        const key = `upgrade-${of}-${count}`;
        answers.push({ key, answer: await payUntilAnswered(nextUrl, key, count % 4 === 0) });
        await delay(40);
      }
    }

    /** Repeats the latest payments, which the replicas before these have answered. */
    async function expectReplays(): Promise<void> {
      for (const { key, answer } of answers.slice(-20)) {
        const { status, body } = await payUntilAnswered(nextUrl, key, false);
        expect({ key, status, body }).toEqual({ key, status: answer.status, body: answer.body });
      }
    }

    await replaceProviders(before.folder);
    payments = await Promise.all([1, 2].map(() => start('payment-service', before.folder)));
    const load = Promise.all(Array.from({ length: width }, (_, of) => payInSequence(of)));
    await delay(1500);
    expect(await checkUpgrade(settings)).toEqual([1, beside]);
    const early = await startRefused(current, RegExp(RegExp.escape(beside)));
    await replaceProviders(current);
    await delay(500);
    await Promise.all(payments.map(stop));
    expect((await checkUpgrade(settings))[0]).toBe(0);
    await eventually(
      () => readinessOf(early),
      (status) => status === 200,
      20_000,
    );
    payments = [early, await start('payment-service', current)];
    await expectReplays();
    await stop(await startRefused(before.folder, /stop_replicas_of_earlier_releases/));
    await replacePayments(current);
    await expectReplays();
    await replaceProviders(current);
    const running = `${ofThisRelease}; replicas that run: 2 of schema version ${schema.migrations.length}`;
    expect(await checkUpgrade(settings)).toEqual([0, running]);
    await delay(500);
    flowing = false;
    await load;

    for (const { url } of providers.values())
      await call('POST', `${url}/sandbox`, {
        failure_rate: 0,
        cut_before_rate: 0,
        cut_after_rate: 0,
        late_rate: 0,
      });
    await eventually(
      () => call<{ data: PaymentView[] }>('GET', `${nextUrl()}/payments?notification_status=pending&limit=1`),
      ({ body }) => body.data.length === 0,
      60_000,
      250,
    );
    const stored = new Map((await listAll(nextUrl())).map((payment) => [payment.payment_id, payment]));
    const sms = countSms(ledgers);
    expect(answers.filter(({ answer }) => !stored.has(answer.body.payment_id))).toEqual([]);
    expect(stored.size).toBe(answers.length);
    const wrong = [...stored.values()].filter(({ payment_id, notification_status, possible_duplicate }) => {
      const count = sms.get(payment_id) ?? 0;
      return notification_status !== 'sent' || count === 0 || (count > 1 && !possible_duplicate);
    });
    expect(wrong).toEqual([]);
    const errors: LogLine[] = parseLog(lines.join('\n')).filter(({ level }) => Number(level) >= 50);
    expect(errors).toEqual([]);
  },
);

const readinessOf = async ({ url }: OneService) => (await call('GET', `${url}/health/ready`)).status;

/** Repeats it with one Idempotency-Key until a 2xx, as a client does. */
async function payUntilAnswered(
  nextUrl: () => string,
  key: string,
  respondAsync: boolean,
): Promise<Answer<PaymentView>> {
  for (;;) {
    try {
      const answer = await call<PaymentView>(
        'POST',
        `${nextUrl()}/payments`,
        { amount: 100, customer_id: key },
        { 'idempotency-key': key, ...(respondAsync && { prefer: 'respond-async' }) },
      );
      if (answer.status < 300) return answer;
      if (answer.status !== 409 && answer.status !== 503)
        throw new Error(`${key} was answered ${answer.status}`);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch throws it for a refused or lost connection
    }
    await delay(50);
  }
}

async function listAll(url: string): Promise<PaymentView[]> {
  const all: PaymentView[] = [];
  for (let after = ''; ; after = `&starting_after=${all.at(-1)?.payment_id}`) {
    const { body } = await call<{ data: PaymentView[]; has_more: boolean }>(
      'GET',
      `${url}/payments?limit=100${after}`,
    );
    all.push(...body.data);
    if (!body.has_more) return all;
  }
}

/** The exit code of the operator's check before a roll, and what it prints. */
async function checkUpgrade(settings: Record<string, string>): Promise<[code: number | null, line: string]> {
  const env = { PATH: process.env.PATH, ...settings };
  const script = resolve('payment-service/src/check-upgrade.ts');
  const child = spawn(process.execPath, [script], { cwd: tmpdir(), env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  const [out, error] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const [code] = await ended;
  return [code, `${out}${error}`.trim()];
}

/** The SMS that the sandboxes have accepted, by payment. */
function countSms(ledgers: string): Map<string, number> {
  const count = new Map<string, number>();
  for (const name of readdirSync(ledgers))
    for (const line of readFileSync(join(ledgers, name), 'utf8').split('\n').slice(0, -1)) {
      const paymentId = JSON.parse(line).idempotency_key.replace(/-\d+$/, '');
      count.set(paymentId, (count.get(paymentId) ?? 0) + 1);
    }
  return count;
}
