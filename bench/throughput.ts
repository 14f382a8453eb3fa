import { startPostgres } from '../test/postgres-server.ts';
import { type Name, type Services, startServices } from './services.ts';
import { type Spread, spreadOf } from './spread.ts';

/** The systems that are compared, side by side and in turn. */

export const trio = ['aldeamo-service', 'twilio-service', 'payment-service'] as const;

interface System {
  name: string;
  names: readonly Name[];
  headers?: Record<string, string>;
  status?: number;
  /** Twilio sends: Aldeamo's sandbox fails, and its circuit is open. */
  aldeamoFails?: boolean;
  usesPostgres?: boolean;
  settings?: Record<string, string>;
}

export const systems = [
  { name: 'pass-through', names: ['aldeamo-service', 'pass-through'] },
  { name: 'payment-service', names: trio },
  {
    name: 'payment-service, async',
    names: trio,
    headers: { prefer: 'respond-async' },
    status: 202,
    // What it leaves to the outbox would load the machine while the others have their turn: as little as can be set.
    settings: { OUTBOX_RATE_PER_SECOND: '10' },
  },
  { name: 'payment-service, Aldeamo down', names: trio, aldeamoFails: true },
  { name: 'payment-service, PostgreSQL', names: trio, usesPostgres: true },
] as const satisfies System[];

export interface Measured {
  system: string;
  connections: number;
  perSecond: Spread;
  p50: Spread;
  p99: Spread;
  /** CPU time of each process for one payment, in ms. */
  cpuMs: Partial<Record<Name, number>>;
  /** Of the process that takes the payments, at the end of a turn. */
  residentMb: number;
  /** Beside the first system in the same round, a few seconds before or after: what slows the machine down slows down both. */
  beside: { share: Spread; p50OverMs: Spread; p99Times: Spread };
}

export interface ThroughputOptions {
  systems: readonly System[];
  connections: readonly number[];
  rounds: number;
  /** How long a system is measured at a time. */
  turnMs: number;
  warmUpMs: number;
  settings?: Record<string, string>;
}

interface Turn {
  perSecond: number;
  p50: number;
  p99: number;
  cpuMs: Map<Name, number>;
  residentMb: number;
}

interface Running {
  system: System;
  services: Services;
  /** By connections, one of each round. */
  turns: Map<number, Turn[]>;
}

/** Load that is not measured, for the caches to be the system's again after the others had their turn. */
const leadInMs = 200;

/**
 * All systems run from the beginning to the end, and take short turns: one that is not measured has next to nothing to do. In
 * each round another one is the first.
 */
export async function measureThroughput(options: ThroughputOptions): Promise<Measured[]> {
  const { connections, rounds, turnMs } = options;
  await using started = new AsyncDisposableStack();
  const running: Running[] = [];
  for (const system of options.systems) {
    const services = await start(system, options, started);
    running.push({ system, services, turns: new Map(connections.map((count) => [count, []])) });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (let place = 0; place < running.length; place += 1) {
      const { services, system, turns } = running[(round + place) % running.length] as Running;
      for (const [count, taken] of turns) taken.push(await takeTurn(services, system, count, turnMs));
    }
  }
  const [first] = running;
  return running.flatMap(({ system, turns }) =>
    connections.map((count) => summary(system, count, turns.get(count) ?? [], first?.turns.get(count) ?? [])),
  );
}

function summary(system: System, connections: number, turns: Turn[], firstTurns: Turn[]): Measured {
  const spread = (of: (turn: Turn) => number) => spreadOf(turns.map(of));
  const pairs = turns.map((turn, round) => [turn, firstTurns[round] as Turn] as const);
  const besideFirst = (of: (turn: Turn, first: Turn) => number) =>
    spreadOf(pairs.map(([turn, first]) => of(turn, first)));
  return {
    system: system.name,
    connections,
    perSecond: spread(({ perSecond }) => perSecond),
    p50: spread(({ p50 }) => p50),
    p99: spread(({ p99 }) => p99),
    cpuMs: Object.fromEntries(
      system.names.map((name) => [name, spread(({ cpuMs }) => cpuMs.get(name) as number).median]),
    ),
    residentMb: spread(({ residentMb }) => residentMb).median,
    beside: {
      share: besideFirst((turn, first) => turn.perSecond / first.perSecond),
      p50OverMs: besideFirst((turn, first) => turn.p50 - first.p50),
      p99Times: besideFirst((turn, first) => turn.p99 / first.p99),
    },
  };
}

async function start(
  system: System,
  { warmUpMs, settings }: ThroughputOptions,
  started: AsyncDisposableStack,
): Promise<Services> {
  const postgres = system.usesPostgres ? started.use(await startPostgres()) : undefined;
  const services = started.use(
    await startServices({
      names: system.names,
      settings: {
        ...settings,
        ...system.settings,
        ...(postgres && { DATABASE_URL: await postgres.createDatabase() }),
      },
    }),
  );
  if (system.aldeamoFails)
    await fetch(`${services.url('aldeamo-service')}/toggle-failure?failure_rate=1`, { method: 'POST' });
  await services.load({ ...orderOf(system), connections: 64, forMs: warmUpMs });
  return services;
}

async function takeTurn(
  services: Services,
  system: System,
  connections: number,
  forMs: number,
): Promise<Turn> {
  const order = { ...orderOf(system), connections };
  await services.load({ ...order, forMs: leadInMs });
  const before = await usages(services, system);
  const { count, perSecond, p50, p99 } = await services.load({ ...order, forMs });
  const after = await usages(services, system);
  const cpuMs = new Map(
    system.names.map((name, index) => [
      name,
      ((after[index]?.cpuMs ?? 0) - (before[index]?.cpuMs ?? 0)) / count,
    ]),
  );
  return { perSecond, p50, p99, cpuMs, residentMb: after.at(-1)?.residentMb as number };
}

const usages = (services: Services, { names }: System) =>
  Promise.all(names.map((name) => services.usage(name)));
const orderOf = ({ headers = {}, status = 201 }: System) => ({ headers, status });
