import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { aldeamo, aldeamoPackage, startAldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import { startMerchant } from './doubles/merchant.ts';
import { startTwilioUpstream, twilio } from './doubles/twilio-upstream.ts';
import { eventually } from './eventually.ts';
import { call, pay } from './http.ts';
import { liveSettings, twilioSettings, withoutRetries } from './live-settings.ts';
import { startPostgres } from './postgres-server.ts';
import { type Prometheus, rulesOfFiles, startPrometheus, why, without } from './prometheus.ts';
import type { ReplicaName, ServiceName, Trio } from './trio.ts';
import { startProcesses } from './trio-of-processes.ts';

/**
 * Provokes each alert on running services, in a real Prometheus that scrapes twice a second. All times of the rules are
 * divided by 60, and so are the 900 s of a backlog and the 60 s and 600 s of the objectives. The second of PaymentsSlow, the lag of
 * the event loop and the minute of ClockSet are no times to wait for, and stay.
 */

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const millisecondsOf = (time: string): number =>
  [...time.matchAll(/(\d+)(\w)/g)].reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (units[unit] ?? 0),
    0,
  );
const divideTimes = (rules: string): string =>
  rules
    .replaceAll(/\b(\d+[smhd])+\b/g, (time) => `${millisecondsOf(time) / 60}ms`)
    .replaceAll('le=~"60|60.0"', 'le=~"1|1.0"')
    .replaceAll('le=~"600|600.0"', 'le=~"10|10.0"')
    .replaceAll(/([>-]) 900\b/g, '$1 15');

const provoked = new Set<string>();

/** Waits until all of these fire. */
async function untilFiring(prometheus: Prometheus, ...alerts: string[]): Promise<void> {
  const rest = new Set(alerts);
  await eventually(
    async () => {
      for (const name of await prometheus.firing()) rest.delete(name);
      return [...rest];
    },
    ({ length }) => length === 0,
    75_000,
    250,
  );
  for (const name of alerts) provoked.add(name);
}

/** Waits until Prometheus has an answer to this, such as the result of a comparison. */
const untilTrue = (prometheus: Prometheus, expression: string) =>
  eventually(
    () => prometheus.query(expression),
    ({ length }) => length > 0,
    60_000,
    250,
  );

/**
 * Waits until these respond. A Prometheus that starts looks for targets after 5 s, a time that is not divided: until then
 * ServiceMissing fires.
 */
async function untilTargetsAreFound(prometheus: Prometheus, count: number): Promise<void> {
  await untilTrue(prometheus, `count(up == 1) == ${count}`);
  await untilTrue(
    prometheus,
    'absent(ALERTS{alertname="ServiceMissing",alertstate="firing",job="payment-service"})',
  );
}

/** Does it ten times a second until it is stopped, whatever becomes of it. */
function startLoad(doNext: () => Promise<unknown>, everyMs = 100) {
  const stopping = new AbortController();
  const paying = (async () => {
    while (!stopping.signal.aborted) {
      void doNext().catch(() => {});
      await delay(everyMs);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await paying;
    },
  };
}

/** Ends and starts the service, again as soon as Prometheus has seen the new process. */
function startRestarts(trio: Trio, prometheus: Prometheus, service: ServiceName) {
  let stopped = false;
  const restarting = (async () => {
    while (!stopped) {
      await trio.kill(service);
      await trio.start(service);
      const startedAt = Date.now() / 1000;
      await untilTrue(prometheus, `timestamp(process_start_time_seconds{job="${service}"}) > ${startedAt}`);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      await restarting;
    },
  };
}

const start = (trio: Trio<ReplicaName>, replicas: Partial<Record<ServiceName, ReplicaName[]>> = {}) =>
  startPrometheus({ url: trio.url, changeRules: divideTimes, replicas });
const setSandbox = (trio: Trio, service: ServiceName, changes: Record<string, number>) =>
  call('POST', `${trio.url(service)}/sandbox`, changes);
const payOnce = (trio: Trio) => pay(trio.url('payment-service'), { customer_id: 'any' });

describe.skipIf(without)(`in a real Prometheus${why}`, () => {
  const timeout = 180_000;

  // Alone, because the services of the other tests would slow it down.
  test('given healthy services under load, no alert fires', { timeout }, async () => {
    await using merchant = await startMerchant();
    await using trio = await startProcesses({
      ...merchant.settings,
      ALDEAMO_LATENCY_MS: '20',
      TWILIO_LATENCY_MS: '20',
    });
    await using prometheus = await start(trio);
    await using _load = startLoad(() => payOnce(trio), 50);
    await untilTargetsAreFound(prometheus, 3);
    await delay(22_000);
    const ever = await prometheus.query('max_over_time(ALERTS{alertstate="firing"}[20s])');
    expect(ever.map(({ metric }) => metric.alertname)).toEqual([]);
  });

  test.concurrent('given processes that end, hang or get no payments, their alerts fire', {
    timeout,
  }, async () => {
    await using trio = await startProcesses({ ALDEAMO_LATENCY_MS: '20', TWILIO_LATENCY_MS: '20' });
    await using prometheus = await start(trio);
    await untilTargetsAreFound(prometheus, 3);
    {
      await using _load = startLoad(() => payOnce(trio), 50);
      await untilTrue(prometheus, 'increase(paysms_payments_created_total[1m]) > 100');
    }
    {
      await using _restarts = startRestarts(trio, prometheus, 'aldeamo-service');
      await untilFiring(prometheus, 'NoPayments', 'ServiceRestarting');
    }
    {
      await using _hangs = startLoad(async () => {
        await trio.freeze('aldeamo-service');
        await delay(600);
        await trio.thaw('aldeamo-service');
      }, 1000);
      await untilFiring(prometheus, 'EventLoopLagging');
    }
    await trio.kill('twilio-service');
    await untilFiring(prometheus, 'ServiceDown');
    await trio.start('twilio-service');
  });

  test.concurrent('given two providers that fail, the alerts of the circuits, the backlog and the acceptance fire', {
    timeout,
  }, async () => {
    await using trio = await startProcesses({ ALDEAMO_FAILURE_RATE: '1', TWILIO_FAILURE_RATE: '1' });
    await using prometheus = await start(trio);
    await using _load = startLoad(() => payOnce(trio));
    await untilFiring(
      prometheus,
      ...['PrimaryDown', 'FallbackDown', 'BothProvidersDown', 'BacklogAgeing'],
      ...['AcceptanceBudgetBurnsFast', 'AcceptanceBudgetBurnsSlowly'],
    );
  });

  test.concurrent('given live providers in trouble, the alerts of the accounts, the bounds and the deliveries fire', {
    timeout,
  }, async () => {
    await using aldeamoApi = await startAldeamoUpstream();
    await using twilioApi = await startTwilioUpstream();
    aldeamoApi.packages = [aldeamoPackage(0)];
    aldeamoApi.answerAll(aldeamo.usedUp);
    await using trio = await startProcesses({ ...liveSettings(aldeamoApi, twilioApi), ...withoutRetries });
    twilioApi.callbackOrigin = trio.url('twilio-service');
    await using prometheus = await start(trio);
    const payTo = (phone: string) => pay(trio.url('payment-service'), { customer_id: 'live', phone });
    await untilTargetsAreFound(prometheus, 3);
    await untilFiring(prometheus, 'BalanceUsedUp');
    await payTo('+593991234567');
    let count = 0;
    // Of four SMS, Twilio declines three for their text, and accepts one, which is filtered on its way.
    await using _load = startLoad(async () => {
      count += 1;
      if (count % 4 !== 0) twilioApi.answerNext(twilio.error(count === 5 ? 21_408 : 21_612));
      await payTo(`+57300${1_000_000 + count}`);
      const sent = twilioApi.ledger.at(-1);
      if (count % 8 === 0 && sent) await twilioApi.sendStatus(sent.sid, 'undelivered', 30_007);
    });
    await untilFiring(
      prometheus,
      ...['AccountRefused', 'AccountFault', 'SmsBoundReached', 'ProviderRefusing', 'NotificationsFailing'],
      ...['DeliveryBudgetBurnsFast', 'DeliveryBudgetBurnsSlowly'],
    );
  });

  test.concurrent('given a provider that does not deliver or filters SMS, one that reports nothing, and an SMS that is held, their alerts fire', {
    timeout,
  }, async () => {
    await using twilioApi = await startTwilioUpstream();
    await using trio = await startProcesses({
      ...twilioSettings(twilioApi),
      ALLOW_MIXED_MODES: 'true',
      ALDEAMO_DELIVERY_MS: '100',
      ALDEAMO_FAILURE_RATE: '1',
      RECEIPT_TIMEOUT_MS: '2000',
      UNKNOWN_OUTCOME: 'hold',
      NOTIFICATION_RETRY_BASE_MS: '100',
    });
    await using prometheus = await start(trio);
    await untilTargetsAreFound(prometheus, 3);
    const payLive = () => pay(trio.url('payment-service'), { customer_id: 'any', phone: '+573001234567' });
    twilioApi.answerNext(twilio.garbage);
    await payLive();
    await setSandbox(trio, 'aldeamo-service', {
      failure_rate: 0,
      undelivered_rate: 0.4,
      filtered_rate: 0.1,
    });
    await using _load = startLoad(payLive);
    await untilFiring(
      prometheus,
      ...['NotificationsHeld', 'DeliveriesFailing', 'SmsFiltered', 'ReceiptsMissing'],
    );
  });

  test.concurrent('given replicas that are cut off or lost, a service without a target, and a store that is down, their alerts fire', {
    timeout,
  }, async () => {
    await using postgres = await startPostgres();
    const url = await postgres.createDatabase();
    const replicas: ReplicaName[] = ['payment-service', 'payment-service-2'];
    await using trio = await startProcesses(
      { DATABASE_URL: url, SENDS_DATABASE_URL: url },
      {
        replicas: { 'payment-service': 2 },
        prelude: `test $REPLICA_NAME = payment-service-2 &&
          export ALDEAMO_SERVICE_URL=http://127.0.0.1:9 TWILIO_SERVICE_URL=http://127.0.0.1:9;`,
      },
    );
    await using prometheus = await start(trio, { 'payment-service': replicas, 'twilio-service': [] });
    await using _load = startLoad(() => payOnce(trio));
    await untilTargetsAreFound(prometheus, 3);
    {
      await using _loadOfOther = startLoad(() => pay(trio.url('payment-service-2'), { customer_id: 'any' }));
      await untilFiring(prometheus, 'ServiceMissing', 'ReplicaCutOff');
    }
    await untilTrue(
      prometheus,
      'count_over_time((job:paysms_up:count{job="payment-service"} == 2)[1h:500ms]) > 30',
    );
    await trio.kill('payment-service-2');
    await untilFiring(prometheus, 'ReplicasMissing');
    await trio.start('payment-service-2');
    await postgres.stop();
    await untilFiring(prometheus, 'StoreDown', 'PaymentsFailing');
    await postgres.start();
  });

  test.concurrent('given a slow provider, a wrong clock, a log without a reader and a damaged record, their alerts fire', {
    timeout,
  }, async () => {
    await using twilioApi = await startTwilioUpstream();
    await using folder = await mkdtempDisposable(join(tmpdir(), 'alerts-'));
    const clock = join(folder.path, 'ahead-ms');
    const database = join(folder.path, 'payments.db');
    await writeFile(clock, '0');
    const preload = resolve('test/doubles/wall-clock.ts');
    await using trio = await startProcesses(
      {
        ...twilioSettings(twilioApi),
        ALLOW_MIXED_MODES: 'true',
        ALDEAMO_LATENCY_MS: '1500',
        DATABASE_URL: `file:${database}`,
      },
      {
        // The reader of the log ends with the first lines.
        prelude: `export WALL_CLOCK_FILE='${clock}' NODE_OPTIONS='--import=${preload}';
          mkfifo '${folder.path}/log'; sed -u '/listening on/q' '${folder.path}/log' & exec >'${folder.path}/log';`,
      },
    );
    await using prometheus = await start(trio);
    const payLive = () => pay(trio.url('payment-service'), { customer_id: 'any', phone: '+573001234567' });
    {
      await using _load = startLoad(payLive);
      await untilFiring(prometheus, 'MixedModes', 'PaymentsSlow', 'LogLinesLost');
    }
    await setSandbox(trio, 'aldeamo-service', { latency_ms: 0, garbage_rate: 0.5 });
    {
      await using _load = startLoad(payLive);
      await untilFiring(prometheus, 'PossibleDuplicates');
    }
    {
      using db = new DatabaseSync(database, { timeout: 5000 });
      db.exec(
        "UPDATE payments SET attempts = '[{', notification_status = 'pending', notification_service = NULL, due_at = 1 WHERE payment_id = (SELECT min(payment_id) FROM payments)",
      );
    }
    await untilFiring(prometheus, 'PaymentsUnreadable');
    await writeFile(clock, '3600000');
    await untilFiring(prometheus, 'ClockSet');
  });

  test.concurrent('given a webhook endpoint that fails and then wants nothing more, an event whose tries have ended, and a provider that is held, their alerts fire', {
    timeout,
  }, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'alerts-'));
    const database = join(folder.path, 'payments.db');
    await using merchant = await startMerchant();
    merchant.answering = () => 'error';
    await using trio = await startProcesses({
      ...merchant.settings,
      DATABASE_URL: `file:${database}`,
    });
    await using prometheus = await start(trio);
    await using _load = startLoad(() => payOnce(trio));
    await untilFiring(prometheus, 'WebhooksLate');
    const hold = `${trio.url('payment-service')}/providers/Twilio/hold`;
    await call('PUT', hold, { reason: 'they send twice' });
    {
      using db = new DatabaseSync(database, { timeout: 5000 });
      db.exec(
        "UPDATE events SET delivery_status = 'dead', reason = 'http_500', due_at = NULL WHERE number = (SELECT min(number) FROM events)",
      );
      db.prepare('UPDATE provider_controls SET held_since = ?').run(
        new Date(Date.now() - 3_600_000).toISOString(),
      );
    }
    await untilFiring(prometheus, 'WebhookDeadLetters', 'ProviderHeld');
    // The next probe of an open circuit may be a minute away; a process that starts begins with a closed one.
    merchant.answering = () => 'gone';
    await trio.kill('payment-service');
    await trio.start('payment-service');
    await untilFiring(prometheus, 'WebhookEndpointStopped');
  });

  test('each alert was provoked above', async () => {
    const alerts = (await rulesOfFiles()).match(/(?<=- alert: )\w+/g) ?? [];
    expect(alerts.filter((name) => !provoked.has(name))).toEqual([]);
  });
});
