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
}

export const systems = [
  { name: 'pass-through', names: ['aldeamo-service', 'pass-through'] },
  { name: 'payment-service', names: trio },
  { name: 'payment-service, async', names: trio, headers: { prefer: 'respond-async' }, status: 202 },
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
  /** Of the process that takes the payments, at the end of a round. */
  residentMb: number;
}

export interface ThroughputOptions {
  systems: readonly System[];
  connections: readonly number[];
  rounds: number;
  roundMs: number;
  warmUpMs: number;
  settings?: Record<string, string>;
}

interface Round {
  perSecond: number;
  p50: number;
  p99: number;
  cpuMs: Map<Name, number>;
  residentMb: number;
}

/** Each system in turn, in each round anew, so that what the machine does meanwhile is spread over all of them. */
export async function measureThroughput(options: ThroughputOptions): Promise<Measured[]> {
  const { connections, rounds } = options;
  await using postgres = options.systems.some((system) => system.usesPostgres)
    ? await startPostgres()
    : undefined;
  const measured = options.systems.flatMap((system) =>
    connections.map((count) => ({ system, connections: count, rounds: [] as Round[] })),
  );
  for (let round = 0; round < rounds; round += 1) {
    for (const system of options.systems) {
      const databaseUrl = system.usesPostgres ? await postgres?.createDatabase() : undefined;
      await using services = await start(system, databaseUrl, options);
      for (const row of measured.filter((row) => row.system === system))
        row.rounds.push(await measureRound(services, system, row.connections, options.roundMs));
    }
  }
  return measured.map(({ system, connections, rounds }) => {
    const median = (of: (round: Round) => number) => spreadOf(rounds.map(of)).median;
    return {
      system: system.name,
      connections,
      perSecond: spreadOf(rounds.map(({ perSecond }) => perSecond)),
      p50: spreadOf(rounds.map(({ p50 }) => p50)),
      p99: spreadOf(rounds.map(({ p99 }) => p99)),
      cpuMs: Object.fromEntries(
        system.names.map((name) => [name, median(({ cpuMs }) => cpuMs.get(name) as number)]),
      ),
      residentMb: median(({ residentMb }) => residentMb),
    };
  });
}

async function start(
  system: System,
  databaseUrl: string | undefined,
  options: ThroughputOptions,
): Promise<Services> {
  const services = await startServices({
    names: system.names,
    settings: { ...options.settings, ...(databaseUrl && { DATABASE_URL: databaseUrl }) },
  });
  if (system.aldeamoFails)
    await fetch(`${services.url('aldeamo-service')}/toggle-failure?failure_rate=1`, { method: 'POST' });
  await services.load({ ...orderOf(system), connections: 64, forMs: options.warmUpMs });
  return services;
}

async function measureRound(
  services: Services,
  system: System,
  connections: number,
  forMs: number,
): Promise<Round> {
  const before = await usages(services, system);
  const { count, perSecond, p50, p99 } = await services.load({ ...orderOf(system), connections, forMs });
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
