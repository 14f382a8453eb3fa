import closeWithGrace from 'close-with-grace';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import { Registry } from 'prom-client';
import type { z } from 'zod';
import { correlationFields } from '../telemetry/correlation.ts';
import { lineOf } from '../telemetry/log-line.ts';
import { createLogOutput } from '../telemetry/log-output.ts';
import { countLostLines, noticeOf } from '../telemetry/lost-lines.ts';
import { collectProcessMetrics } from '../telemetry/metrics.ts';
import { serializeError } from '../telemetry/serialize-error.ts';
import { startWatchdog } from '../watchdog/watchdog.ts';
import { ConfigurationError, readConfiguration, type ServiceSettings } from './configuration.ts';
import { type EnvFile, loadEnvFile } from './env-file.ts';
import { explainListenError } from './listen-error.ts';
import type { Server } from './types.ts';

export interface Service<Schema extends z.ZodType<ServiceSettings>> {
  name: string;
  configSchema: Schema;
  /** How long the process may hang before others take over its work, in ms. */
  leaseMs: (config: z.output<Schema>) => number;
  /** Builds the app, which closes all that it opens. `metrics` has those of the process, and gets the app's. */
  build: (config: z.output<Schema>, logger: Logger, metrics: Registry) => Promise<Server>;
}

/**
 * Runs a service until a signal stops it: configuration, app, listen. A first SIGTERM or SIGINT lets requests end and exits
 * with 0; a second one, or the deadline, exits at once with 1. A process that hangs for longer than its lease is killed.
 *
 * @param process that of Node.js, which only a `main.ts` imports
 */
export async function startService<Schema extends z.ZodType<ServiceSettings>>(
  { name, configSchema, leaseMs, build }: Service<Schema>,
  process: NodeJS.Process,
): Promise<void> {
  const { config, ignored } = readOrExit(configSchema, process);
  const options = { name, level: config.LOG_LEVEL };
  const output = createLogOutput({ notice: noticeOf(options) });
  const logger = createLogger(options, output);
  // npm start has read the same file, and warns of it once for all services.
  if (!process.connected)
    for (const { line } of ignored) logger.warn(`.env, line ${line}, is not NAME=value and has no effect`);
  const endExport = await startExport(config.OTEL_EXPORTER_OTLP_ENDPOINT, name);
  const metrics = new Registry();
  collectProcessMetrics(metrics);
  countLostLines(metrics, output);
  const stopping = new AbortController();
  let app: Server | undefined;
  const removeEarlyHandlers = handlersOf(process, ['SIGTERM', 'SIGINT', 'disconnect']);
  const grace = closeWithGrace(
    { delay: config.STOP_TIMEOUT_MS, logger, skip: crashes },
    async ({ signal, err }) => {
      stopping.abort();
      if (err) logger.fatal({ err }, 'stopping after an unhandled error');
      else logger.info({ signal }, 'stopping');
      // Otherwise a client that never sends the rest of its request would let the deadline pass.
      const cut = setTimeout(() => app?.server.closeAllConnections(), config.STOP_TIMEOUT_MS * 0.9);
      await app?.close();
      await endExport();
      clearTimeout(cut);
      logger.info('stopped');
    },
  );
  endWithParent(process, () => {
    if (!stopping.signal.aborted) grace.close();
  });
  // Not before the others stand, because a signal that has arrived is lost with its last handler.
  removeEarlyHandlers();
  try {
    app = await build(config, logger, metrics);
    // Otherwise the garbage of the start, and the heap that V8 has grown for it, would stay: an idle process collects nothing.
    // The image exposes `gc`. A smaller young generation would do as well, at the cost of a quarter of the throughput.
    // A tick waits meanwhile, because V8 otherwise drops the shape of its object, and each tick takes ten times as long then.
    process.nextTick(() => {});
    globalThis.gc?.({ type: 'major', flavor: 'last-resort', execution: 'sync' });
    if (stopping.signal.aborted) return;
    await app.listen({
      host: config.HOST,
      port: config.PORT,
      listenTextResolver: (url) => `listening on ${url}`,
    });
    reportListening(process);
    // Not before, because a start may compute for long.
    startWatchdog(leaseMs(config), (hung_ms, msg) => lineOf(options, 'fatal', { hung_ms }, msg));
  } catch (err) {
    if (stopping.signal.aborted) return; // a server that is closed while it begins to listen
    await reportFailedStart(logger, err, config, process);
    process.exit(1);
  }
}

async function reportFailedStart(
  logger: Logger,
  err: unknown,
  { HOST: host, PORT: port }: ServiceSettings,
  process: NodeJS.Process,
): Promise<void> {
  const reason = await explainListenError(err, { host, port, setting: 'PORT' });
  if (reason) logger.fatal(`could not start: ${reason}`);
  else logger.fatal({ err }, 'could not start');
  // A silent log hides much, but not why there is no service.
  if (!logger.isLevelEnabled('fatal')) process.stderr.write(`could not start: ${reason ?? String(err)}\n`);
}

/** Reports to `npm start`, which does not read the log for it, because LOG_LEVEL may leave the line out. */
function reportListening(process: NodeJS.Process): void {
  process.send?.('listening', undefined, undefined, () => {}); // the starter may be gone meanwhile
}

/** A handler of these would return to the instruction that has failed, again and again, so that the process would hang. */
const crashes = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV'] satisfies NodeJS.Signals[];

/** Returns a function that removes the handlers that stand now. */
function handlersOf(process: NodeJS.Process, events: string[]): () => void {
  const handlers = events.flatMap((event) => process.listeners(event).map((handler) => ({ event, handler })));
  return () => {
    for (const { event, handler } of handlers) process.removeListener(event, handler);
  };
}

/**
 * Stops a service of `npm start` when the end of its channel says that the starter is gone; a process without a channel has
 * no such event. The listener would keep the process alive.
 */
function endWithParent(process: NodeJS.Process, stop: () => void): void {
  process.once('disconnect', stop);
  process.channel?.unref();
}

/** Each line has the correlation ids of its request. The error of an outage has no stack. */
export const createLogger = (
  options: LoggerOptions,
  destination: DestinationStream = createLogOutput({ notice: noticeOf(options) }),
): Logger =>
  pino({ serializers: { err: serializeError }, ...options, mixin: correlationFields }, destination);

async function startExport(endpoint: string | undefined, service: string): Promise<() => Promise<void>> {
  if (!endpoint) return async () => {};
  const { exportSpans } = await import('../telemetry/tracing-export.ts');
  return exportSpans(endpoint, service);
}

function readOrExit<Schema extends z.ZodType<ServiceSettings>>(
  schema: Schema,
  process: NodeJS.Process,
): { config: z.output<Schema> } & Pick<EnvFile, 'ignored'> {
  try {
    const { ignored } = loadEnvFile(process.env);
    return { config: readConfiguration(schema, process.env), ignored };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
