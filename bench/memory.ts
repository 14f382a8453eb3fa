import { startServices } from './services.ts';
import { trio } from './systems.ts';

export interface Memory {
  payments: number;
  residentMb: Record<(typeof trio)[number], number>;
}

/** Measures the resident memory of the services after 50 000 payments and more, up to a million. */
export async function measureMemory(): Promise<Memory[]> {
  await using services = await startServices({ names: trio });
  const measured: Memory[] = [];
  let payments = 0;
  for (const next of [50_000, 100_000, 200_000, 400_000, 600_000, 800_000, 1_000_000]) {
    while (payments < next) payments += (await services.load({ forMs: 2000 })).count;
    const usages = await Promise.all(
      trio.map(async (name) => [name, (await services.usage(name)).residentMb] as const),
    );
    measured.push({ payments, residentMb: Object.fromEntries(usages) as Memory['residentMb'] });
  }
  return measured;
}
