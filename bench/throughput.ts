import { startPostgres } from '../test/postgres-server.ts';
import type { Name } from './service-process.ts';
import { type Services, startServices } from './services.ts';
import { type Spread, spreadOf } from './spread.ts';
import type { System } from './systems.ts';

export interface Measured {
  system: string;
  connections: number;
  perSecond: Spread;
  p50: Spread;
  p99: Spread;
  /** CPU time of each process per payment, in ms. */
  cpuMs: Partial<Record<Name, number>>;
  /** The memory of the process that receives the payments, at the end of a turn. */
  residentMb: number;
  /** Compared with the first system in the same round, so that a slower machine slows down both. */
  beside: { share: Spread; p50OverMs: Spread; p99Times: Spread };
}

export interface ThroughputOptions {
  systems: readonly System[];
  connections: readonly number[];
  /** How often all systems are started, because V8 does not optimize the same code equally well each time. */
  starts: number;
  /** Rounds per start. */
  rounds: number;
  /** The duration of one measurement of a system. */
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

/** The turns of a system by connections, one per round. */
type Turns = Map<number, Turn[]>;

/** Load that is not measured, so that the caches of the CPU are the system's again after the turns of the others. */
const leadInMs = 200;

export async function measureThroughput(options: ThroughputOptions): Promise<Measured[]> {
  const { systems, connections, starts } = options;
  const turns = new Map(systems.map((system): [System, Turns] => [system, new Map()]));
  for (let start = 0; start < starts; start += 1) await takeTurns(options, turns);
  const [first] = turns.values();
  return systems.flatMap((system) =>
    connections.map((count) =>
      summary(system, count, turns.get(system)?.get(count) ?? [], first?.get(count) ?? []),
    ),
  );
}

/**
 * All systems run for the whole start and take short turns; without load they are nearly idle. Each round starts with another
 * system.
 */
async function takeTurns(options: ThroughputOptions, turns: Map<System, Turns>): Promise<void> {
  const { systems, connections, rounds, turnMs } = options;
  await using started = new AsyncDisposableStack();
  const running: [system: System, services: Services][] = [];
  for (const system of systems) running.push([system, await start(system, options, started)]);
  for (let round = 0; round < rounds; round += 1) {
    for (let place = 0; place < running.length; place += 1) {
      const [system, services] = running[(round + place) % running.length] as (typeof running)[number];
      for (const count of connections) {
        const turn = await takeTurn(services, system, count, turnMs);
        turns.get(system)?.getOrInsert(count, []).push(turn);
      }
    }
  }
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
