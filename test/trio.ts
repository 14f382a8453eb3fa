import { inject } from 'vitest';
import { eventually } from './eventually.ts';
import { startContainers } from './trio-of-containers.ts';
import { startProcesses } from './trio-of-processes.ts';

export const serviceNames = ['payment-service', 'aldeamo-service', 'twilio-service'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** One of the three, or one more replica of it, such as payment-service-2. */
export type ReplicaName = ServiceName | `${ServiceName}-${number}`;

export type LogLine = Record<string, unknown>;

/** The three services, running. What a test needs to do to them, whatever they run in. */
export interface Trio<Name extends string = ServiceName> extends AsyncDisposable {
  url(service: Name): string;
  /** Stops the service where it stands: connections are accepted, and nothing is ever answered. */
  freeze(service: Name): Promise<void>;
  thaw(service: Name): Promise<void>;
  /** Ends it at once, as a crash does. */
  kill(service: Name): Promise<void>;
  /** Asks it to stop (SIGTERM). */
  terminate(service: Name): Promise<void>;
  /** Waits until it has ended, and tells its exit code. */
  exitCode(service: Name): Promise<number>;
  /** Starts it again, with what it had on disk, at the same URL or a new one. */
  start(service: Name): Promise<void>;
  logs(service: Name): Promise<LogLine[]>;
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

/** The lines of all three services that are about a payment, once there are so many: a line follows its answer. */
export const linesAbout = (trio: Trio, payment_id: string, count: number): Promise<LogLine[]> =>
  eventually(
    async () => {
      const lines = (await Promise.all(serviceNames.map((service) => trio.logs(service)))).flat();
      const trace_id = lines.find((line) => line.payment_id === payment_id)?.trace_id;
      return trace_id === undefined ? [] : lines.filter((line) => line.trace_id === trace_id);
    },
    ({ length }) => length === count,
    5000,
  );

export function parseLog(text: string): LogLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}
