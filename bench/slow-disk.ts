import { execFileSync } from 'node:child_process';
import type { Load } from './load.ts';
import { startServices } from './services.ts';
import { trio } from './systems.ts';

type Figures = Pick<Load, 'perSecond' | 'p50' | 'p99'>;

export interface SlowDisk {
  /** The delay added to each sync of the disk, in ms. */
  delayMs: number;
  payments: Figures;
  reads: Figures;
  health: Figures;
}

/** strace delays the system calls that wait for the disk. */
const wrapperOf = (delayMs: number) =>
  delayMs === 0
    ? []
    : [
        ...['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
        ...['-e', `inject=fsync,fdatasync:delay_exit=${delayMs * 1000}`],
      ];

/** Measures reads and health checks while 64 connections pay, on the disk as it is and on a slower one. */
export async function measureSlowDisk(): Promise<SlowDisk[]> {
  execFileSync('strace', ['--version']); // throws if strace is not installed
  const measured: SlowDisk[] = [];
  for (const delayMs of [0, 50]) {
    await using services = await startServices({ names: trio, wrapper: wrapperOf(delayMs) });
    await services.load({ forMs: 4000 });
    const forMs = 8000;
    const [payments, reads, health] = await Promise.all([
      services.load({ forMs }),
      services.load({ forMs, connections: 4, get: '/payments?limit=10', status: 200 }),
      services.load({ forMs, connections: 1, get: '/health/live', status: 200 }),
    ]);
    measured.push({ delayMs, payments, reads, health });
  }
  return measured;
}
