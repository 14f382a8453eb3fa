import process from 'node:process';
import { startServices } from './services.ts';
import { trio } from './throughput.ts';

export interface Blackhole {
  connections: number;
  deadlineMs: number;
  /** The longest that a payment took, in ms. */
  maxMs: number;
  /** Payments that waited for Aldeamo, for half a deadline or longer. */
  waited: number;
  payments: number;
}

/** From the first payment that Aldeamo does not answer: its connections are taken, and nothing ever comes back. */
export async function measureBlackhole(): Promise<Blackhole> {
  const deadlineMs = 3000;
  const connections = 64;
  await using services = await startServices({
    names: trio,
    settings: { PROVIDER_TIMEOUT_MS: String(deadlineMs) },
  });
  await services.load({ forMs: 3000 });
  process.kill(services.pid('aldeamo-service'), 'SIGSTOP');
  const { max, waited, count } = await services.load({ connections, forMs: 10_000, waitMs: deadlineMs / 2 });
  process.kill(services.pid('aldeamo-service'), 'SIGCONT');
  return { connections, deadlineMs, maxMs: max, waited, payments: count };
}
