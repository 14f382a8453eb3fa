import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { type ChaosOptions, type Incident, providerServices, runChaos } from './chaos.ts';
import { resumeWebhooks } from './chaos-events.ts';
import { type Merchant, startMerchant } from './doubles/merchant.ts';
import { eventually } from './eventually.ts';
import { startPostgres } from './postgres-server.ts';
import type { ReplicaName, Trio } from './trio.ts';
import { type ProxiedTrio, replicaNames, startProcesses } from './trio-of-processes.ts';

const isLong = process.env.CHAOS === 'long';
const seed = Number(process.env.CHAOS_SEED ?? 1);
const load = isLong
  ? { payments: 10_000, kills: 50, pauses: 20, cuts: 20, endings: 20, outages: 10 }
  : { payments: 1000, kills: 8, pauses: 3, cuts: 3, endings: 3, outages: 2 };
const timeout = isLong ? 1_800_000 : 240_000;
const scenario = `${load.payments} payments, ${load.kills} kills, pauses, silent cuts and faults of every kind (seed ${seed})`;

const leaseMs = 1500;
const settings = {
  ALDEAMO_LATENCY_MS: '5',
  TWILIO_LATENCY_MS: '5',
  ALDEAMO_DELIVERY_MS: '100',
  TWILIO_DELIVERY_MS: '100',
  RECEIPT_TIMEOUT_MS: '1000',
  GATEWAY_TIMEOUT_MS: '400',
  PROVIDER_TIMEOUT_MS: '500',
  CIRCUIT_RESET_TIMEOUT_MS: '1000',
  NOTIFICATION_RETRY_BASE_MS: '200',
  NOTIFICATION_RETRY_MAX_MS: '2000',
  NOTIFICATION_LEASE_MS: String(leaseMs),
  OUTBOX_RATE_PER_SECOND: '500',
  WEBHOOK_TIMEOUT_MS: '500',
};

test(`given ${scenario}, loses no payment and no event, flags every duplicate and records each delivery`, {
  timeout,
}, async () => {
  await using merchant = await startMerchant();
  await using trio = await startProcesses({ ...settings, ...merchant.settings }, { proxied: true });
  const paymentServices: ReplicaName[] = ['payment-service'];
  await runAndCheck(trio, merchant, paymentServices, incidentsOf(trio, merchant, paymentServices));
});

test(`given ${scenario}, on three replicas whose PostgreSQL crashes and ends sessions, loses no payment and no event, flags every duplicate and records each delivery`, {
  timeout,
}, async () => {
  await using postgres = await startPostgres();
  const url = await postgres.createDatabase();
  const replicas = { 'payment-service': 3 };
  await using merchant = await startMerchant();
  await using trio = await startProcesses(
    { ...settings, ...merchant.settings, DATABASE_URL: url, SENDS_DATABASE_URL: url },
    { replicas, proxied: true },
  );
  const paymentServices = replicaNames('payment-service', replicas['payment-service']);
  await runAndCheck(trio, merchant, paymentServices, {
    ...incidentsOf(trio, merchant, paymentServices),
    'crashes of PostgreSQL survived': {
      times: 1,
      async happen() {
        await postgres.kill();
        await delay(500); // so that payments are made while it is down
        await postgres.start();
      },
    },
    'endings of all sessions survived': { times: load.endings, happen: () => endSessions(url) },
  });
});

/** What happens to the services and between them. */
function incidentsOf(
  trio: ProxiedTrio<ReplicaName>,
  merchant: Merchant,
  paymentServices: readonly ReplicaName[],
): Record<string, Incident> {
  const services = [...paymentServices, ...providerServices];
  return {
    'kills survived': {
      times: load.kills,
      async happen({ pick, roll }) {
        const service = pick(services);
        await trio.kill(service);
        await delay(roll() * 300);
        await trio.start(service);
      },
    },
    // Longer than a deadline, and sometimes than a lease.
    'pauses survived': {
      times: load.pauses,
      async happen({ pick, roll }) {
        const service = pick(services);
        await trio.freeze(service);
        await delay(500 + roll() * 1.5 * leaseMs);
        await trio.thaw(service);
      },
    },
    'cuts without a FIN survived': {
      times: load.cuts,
      happen: async ({ pick }) => trio.swallow(pick(providerServices)),
    },
    'outages of the merchant survived': {
      times: load.outages,
      async happen({ roll }) {
        const answering = merchant.answering;
        merchant.answering = () => 'dead';
        await delay(500 + roll() * 1500);
        merchant.answering = answering;
      },
    },
    'answers of the merchant with 410 survived': {
      times: 1,
      async happen() {
        const answering = merchant.answering;
        let isGone = false;
        merchant.answering = () => {
          isGone = true;
          return 'gone';
        };
        await eventually(
          async () => isGone,
          (gone) => gone,
          30_000,
        );
        merchant.answering = answering;
        for (const service of paymentServices) await resumeWebhooks(trio.url(service));
      },
    },
  };
}

/** Ends all sessions again and again for a moment, so that it meets some just as they are opened. */
async function endSessions(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  for (let round = 0; round < 50; round += 1) {
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await delay(10);
  }
  await client.end();
}

async function runAndCheck(
  trio: Trio<ReplicaName>,
  merchant: Merchant,
  paymentServices: readonly ReplicaName[],
  incidents: ChaosOptions['incidents'],
): Promise<void> {
  const { payments } = load;
  const figures = await runChaos(trio, { payments, width: 16, seed, paymentServices, merchant, incidents });

  process.stdout.write(
    `\n${Object.entries(figures)
      .map(([label, figure]) => `${String(figure).padStart(7)}  ${label}\n`)
      .join('')}\n`,
  );
  expect(figures).toMatchObject({
    'answered 2xx': payments,
    'of them in the store': payments,
    'of them delivered or failed': payments,
    'in the store in all': payments,
    'accepted more than once, without a reason on record': 0,
    'may arrive twice, and not flagged': 0,
    'delivered by a ledger, and not on record': 0,
    'delivered on record, and by no ledger': 0,
    'replays that differ from the first answer': 0,
    'payments whose events did not arrive, each at least once and in order': 0,
    'payments whose events were not taken in order': 0,
    'payments whose events do not lead to what is on record': 0,
    'requests with a wrong signature': 0,
    'events that a follower of the feed missed, or read twice or elsewhere': 0,
    ...Object.fromEntries(Object.entries(incidents).map(([name, { times }]) => [name, times])),
  });
  expect(figures['delivered by a ledger, and failed by a receipt']).toBeLessThan(payments / 100);
  // Otherwise the faults have met no payment.
  expect(figures['with an attempt whose outcome was unknown']).toBeGreaterThan(0);
  expect(figures['delivered by the other provider after one that did not arrive']).toBeGreaterThan(0);
}
