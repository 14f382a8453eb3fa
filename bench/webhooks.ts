import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { migrateSqlite } from '../payment-service/src/store/sqlite/migrate.ts';
import { endProcess } from './service-process.ts';
import { type Services, startServices } from './services.ts';
import { type Spread, spreadOf } from './spread.ts';
import { trio } from './systems.ts';

export interface Webhooks {
  /** Payments per second at 64 connections. */
  perSecond: Record<'off' | 'live' | 'dead', Spread>;
  /** Per round: with a dead endpoint beside a live one. */
  deadBesideLive: Spread;
  /** Payments at half of the full rate, and how soon after them the last event was delivered. */
  half: { perSecond: number; deliveredAfterMs: number };
  /**
   * A backlog, with the memory of payment-service after it was under load, since V8 takes its share of the memory then, and at most
   * while the backlog drained.
   */
  drain: { events: number; seconds: number; beforeMb: number; mostMb: number };
}

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const rounds = 10;
const turnMs = 2000;
const backlog = 100_000;

export async function measureWebhooks(): Promise<Webhooks> {
  const throughput = await measureRates();
  return { ...throughput, drain: await measureDrain() };
}

interface Receiver extends AsyncDisposable {
  url: string;
  set(isDead: boolean): Promise<number>;
  taken(): Promise<number>;
}

async function startReceiver(): Promise<Receiver> {
  const child: ChildProcess = fork('bench/receiver.ts');
  const [url] = await once(child, 'message');
  const ask = async (order: unknown) => {
    child.send(order as object);
    return (await once(child, 'message'))[0] as number;
  };
  return {
    url,
    set: (isDead) => ask({ isDead }),
    taken: () => ask('count'),
    [Symbol.asyncDispose]: () => endProcess(child, () => child.kill('SIGKILL')),
  };
}

/** All three run, and take turns, so that a slower machine slows down each. */
async function measureRates(): Promise<Omit<Webhooks, 'drain'>> {
  await using live = await startReceiver();
  await using dead = await startReceiver();
  await dead.set(true);
  const start = (settings: Record<string, string>) => startServices({ names: trio, settings });
  const withUrl = (WEBHOOK_URL: string) => start({ WEBHOOK_URL, WEBHOOK_SECRETS: secret });
  await using off = await start({});
  await using toLive = await withUrl(live.url);
  await using toDead = await withUrl(dead.url);
  const systems = Object.entries({ off, live: toLive, dead: toDead });
  for (const [, services] of systems) await services.load({ forMs: 15_000 });
  const measured = new Map<string, number[]>(systems.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    await untilDelivered(toLive);
    for (let place = 0; place < systems.length; place += 1) {
      const [name, services] = systems[(round + place) % systems.length] as (typeof systems)[number];
      await services.load({ forMs: 200 });
      measured.get(name)?.push((await services.load({ forMs: turnMs })).perSecond);
      if (name === 'live') await untilDelivered(services);
    }
  }
  const of = (name: string) => measured.get(name) ?? [];
  const perSecond = { off: spreadOf(of('off')), live: spreadOf(of('live')), dead: spreadOf(of('dead')) };
  return {
    perSecond,
    deadBesideLive: spreadOf(of('dead').map((rate, round) => rate / (of('live')[round] ?? 0))),
    half: await measureHalf(toLive, perSecond.off.median / 2),
  };
}

async function measureHalf(services: Services, perSecond: number): Promise<Webhooks['half']> {
  const connections = 64;
  const everyMs = (connections * 1000) / perSecond;
  const half = await services.load({ connections, everyMs, forMs: 15_000 });
  const ended = performance.now();
  await untilDelivered(services);
  return { perSecond: half.perSecond, deliveredAfterMs: performance.now() - ended };
}

const backlogOf = async (services: Services): Promise<number> => {
  const text = await (await fetch(`${services.url('payment-service')}/metrics`)).text();
  return Number(/^paysms_webhook_backlog (\d+)$/m.exec(text)?.[1]);
};

async function untilDelivered(services: Services): Promise<void> {
  while ((await backlogOf(services)) > 0) await delay(20);
}

async function measureDrain(): Promise<Webhooks['drain']> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const path = join(folder, 'payments.db');
    insertEvents(path, backlog);
    await using receiver = await startReceiver();
    await receiver.set(true);
    await using services = await startServices({
      names: trio,
      settings: { DATABASE_URL: `file:${path}`, WEBHOOK_URL: receiver.url, WEBHOOK_SECRETS: secret },
    });
    const resident = async () => (await services.usage('payment-service')).residentMb;
    await services.load({ forMs: 15_000 });
    const beforeMb = await resident();
    const events = await backlogOf(services);
    await receiver.set(false);
    while ((await receiver.taken()) === 0) await delay(50); // until the circuit is closed
    const started = performance.now();
    let mostMb = beforeMb;
    while ((await backlogOf(services)) > 0) {
      mostMb = Math.max(mostMb, await resident());
      await delay(200);
    }
    return { events, seconds: (performance.now() - started) / 1000, beforeMb, mostMb };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Events as payment-service would have recorded them, two a payment. */
function insertEvents(path: string, count: number): void {
  using db = new DatabaseSync(path);
  migrateSqlite(db);
  db.prepare(`
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
    INSERT INTO events (event_id, payment_id, type, data, created_at, delivery_status, due_at)
    SELECT printf('evt_%032x', n), printf('pmt_%032x', n / 2), 'payment.notification.sent',
      json_object('payment_id', printf('pmt_%032x', n / 2), 'padding', hex(zeroblob(300))),
      strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'pending', unixepoch() * 1000
    FROM numbers`).run(count);
}
