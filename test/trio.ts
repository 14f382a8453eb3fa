import { inject } from 'vitest';
import { startContainers } from './trio-of-containers.ts';
import { startProcesses } from './trio-of-processes.ts';

export const serviceNames = ['payment-service', 'aldeamo-service', 'twilio-service'] as const;
export type ServiceName = (typeof serviceNames)[number];

export type LogLine = Record<string, unknown>;

/** The three services, running. What a test needs to do to them, whatever they run in. */
export interface Trio extends AsyncDisposable {
  url(service: ServiceName): string;
  /** Stops the service where it stands: connections are accepted, and nothing is ever answered. */
  freeze(service: ServiceName): Promise<void>;
  thaw(service: ServiceName): Promise<void>;
  /** Ends it at once, as a crash does. */
  kill(service: ServiceName): Promise<void>;
  /** Asks it to stop (SIGTERM). */
  terminate(service: ServiceName): Promise<void>;
  /** Waits until it has ended, and tells its exit code. */
  exitCode(service: ServiceName): Promise<number>;
  /** Starts it again, with what it had on disk, at the same URL or a new one. */
  start(service: ServiceName): Promise<void>;
  logs(service: ServiceName): Promise<LogLine[]>;
}

declare module 'vitest' {
  interface ProvidedContext {
    trio: 'processes' | 'containers';
  }
}

/** Starts the trio of this project (vitest.config.ts). The settings go to all three services. */
export function startTrio(settings: Record<string, string> = {}): Promise<Trio> {
  return inject('trio') === 'containers' ? startContainers(settings) : startProcesses(settings);
}

export function parseLog(text: string): LogLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}
