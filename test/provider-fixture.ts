import type { Provider } from 'service-kit/contract/notification.ts';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import { createLogger } from 'service-kit/http/start.ts';
import { createAccount } from 'service-kit/provider/account.ts';
import type { Gateway, LiveGatewayOptions, Send } from 'service-kit/provider/gateway.ts';
import { providerProblems } from 'service-kit/provider/provider-problems.ts';
import type { ProviderConfig } from 'service-kit/provider/settings.ts';
import { buildProvider, type ProviderService } from 'service-kit/provider/start-provider.ts';
import { expect, onTestFinished } from 'vitest';
import { holdToDocument } from './documented-answers.ts';
import { requireKnownProblems } from './known-problems.ts';
import { leaksIn, noteSecrets } from './leaks.ts';

export const phone = '+573001234567';
export const sms: Send = { message: 'Pago recibido', customer_id: '123', phone, idempotency_key: 'pmt_1-1' };

/** Long enough for an answer over loopback on a busy machine. */
export const ample = 10_000;
/** For tests that wait until it has passed. */
export const short = 150;

interface LogLine {
  level: number;
  msg: string;
  [member: string]: unknown;
}

/** A log whose lines are scanned for texts and phones when the test ends. */
function createLog() {
  const lines: LogLine[] = [];
  const log = createLogger({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  onTestFinished(() => {
    noteSecrets(sms);
    expect(leaksIn(lines.map((line) => JSON.stringify(line)))).toEqual([]);
  });
  const alerts = () => lines.filter(({ account, fault }) => account || fault);
  return { log, lines, alerts };
}

/** Disposes of it when the test ends. */
export async function disposing<T extends AsyncDisposable>(starting: Promise<T>): Promise<T> {
  const started = await starting;
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

/** The gateway over real sockets. */
export function openGateway(
  provider: Provider,
  create: (options: Omit<LiveGatewayOptions, 'url'>) => Gateway,
) {
  const { log, ...logged } = createLog();
  const account = createAccount({ provider, log });
  const gateway = create({ timeoutMs: ample, maxConcurrency: 10, account });
  onTestFinished(async () => gateway.close?.());
  return { gateway, account, ...logged };
}

/** The service as these environment variables configure it. */
export async function startApp<Config extends ProviderConfig>(
  service: ProviderService<Config>,
  env: Record<string, string>,
) {
  const { log, ...logged } = createLog();
  const config = readConfiguration(service.configSchema, env);
  const app = await buildProvider(service, config, { logger: log, version: '0.0.0' });
  requireKnownProblems(app, service.problems ?? providerProblems);
  onTestFinished(async () => {
    await app.close();
  });
  holdToDocument([service.provider, ...Object.keys(env).toSorted()].join(), app);
  return { app, ...logged };
}

export const message = 'Pago secreto de $100';

/** A POST /notify, to be injected. */
export const notify = (key: string, body: object = { phone }) => ({
  method: 'POST' as const,
  url: '/notify',
  headers: { 'idempotency-key': key },
  payload: { message, customer_id: '123', ...body },
});
