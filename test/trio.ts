import { eventually } from './eventually.ts';

export const serviceNames = ['payment-service', 'aldeamo-service', 'twilio-service'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** A service, or another replica of it, such as payment-service-2. */
export type ReplicaName = ServiceName | `${ServiceName}-${number}`;

export type LogLine = Record<string, unknown>;

/** The three services, as processes or in containers, and the means to disturb them. */
export interface Trio<Name extends string = ServiceName> extends AsyncDisposable {
  url(service: Name): string;
  /** Suspends the service: connections are accepted, and no request is answered. */
  freeze(service: Name): Promise<void>;
  thaw(service: Name): Promise<void>;
  /** Ends it at once, as a crash does (SIGKILL). */
  kill(service: Name): Promise<void>;
  /** Starts its graceful stop (SIGTERM). */
  terminate(service: Name): Promise<void>;
  /** Resolves with its exit code when it has ended. */
  exitCode(service: Name): Promise<number>;
  /** Starts it again with its disk, at the same URL or a new one. */
  start(service: Name): Promise<void>;
  logs(service: Name): Promise<LogLine[]>;
}

/** Waits until the services have logged `count` lines about a payment, because a line may follow its response. */
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
