import { setTimeout as delay } from 'node:timers/promises';
import { type Services, startServices, type Usage } from './services.ts';
import { trio } from './systems.ts';

interface SoakedMinute extends Pick<Usage, 'residentMb' | 'descriptors' | 'resources'> {
  payments: number;
  p50: number;
  p99: number;
  max: number;
}

export interface Soak {
  /** The requested rate of payments. */
  perSecond: number;
  minutes: SoakedMinute[];
}

const minutes = 10;
const share = 0.7;
const connections = 64;

/** The faults of Aldeamo in each minute, the same in all so that minutes can be compared. The last third is the recovery. */
const faults = [
  { failure_rate: 1, slow_rate: 0, slow_ms: 200 },
  { failure_rate: 0, slow_rate: 0.05, slow_ms: 200 },
  { failure_rate: 0, slow_rate: 0, slow_ms: 0 },
];

/** Runs ten minutes at 70% of the highest rate, with recurring faults. */
export async function soak(): Promise<Soak> {
  await using services = await startServices({ names: trio });
  await services.load({ forMs: 15_000 });
  const perSecond = (await services.load({ forMs: 10_000 })).perSecond * share;
  const soaked: SoakedMinute[] = [];
  for (let minute = 0; minute < minutes; minute += 1) {
    const load = services.load({ forMs: 60_000, connections, everyMs: (connections / perSecond) * 1000 });
    for (const fault of faults) {
      await set(services, fault);
      await delay(60_000 / faults.length);
    }
    const { count, p50, p99, max } = await load;
    const { residentMb, descriptors, resources } = await services.usage('payment-service');
    soaked.push({ payments: count, p50, p99, max, residentMb, descriptors, resources });
  }
  return { perSecond, minutes: soaked };
}

async function set(services: Services, fault: (typeof faults)[number]): Promise<void> {
  const answer = await fetch(`${services.url('aldeamo-service')}/sandbox`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fault),
  });
  if (!answer.ok) throw new Error(await answer.text());
}
