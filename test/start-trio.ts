import { inject } from 'vitest';
import type { Trio } from './trio.ts';
import { startContainers } from './trio-of-containers.ts';
import { startProcesses } from './trio-of-processes.ts';

declare module 'vitest' {
  interface ProvidedContext {
    trio: 'processes' | 'containers';
  }
}

/** Starts the trio of this project (vitest.config.ts). The settings go to all three services. */
export function startTrio(settings: Record<string, string> = {}): Promise<Trio> {
  return inject('trio') === 'containers' ? startContainers(settings) : startProcesses(settings);
}
