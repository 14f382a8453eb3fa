import process from 'node:process';
import { startServices } from './services.ts';
import { trio } from './systems.ts';

export interface Blackhole {
  connections: number;
  deadlineMs: number;
  /** The longest duration of a payment, in ms. */
  maxMs: number;
  /** Payments that took half a deadline or longer, because they waited for Aldeamo. */
  waited: number;
  payments: number;
}

/** Measures from the moment at which Aldeamo accepts connections and never answers. */
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
