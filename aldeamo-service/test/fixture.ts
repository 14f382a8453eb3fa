import { pino } from 'pino';
import { readConfiguration } from 'service-kit/http/configuration.ts';
import type { Send } from 'service-kit/provider/gateway.ts';
import { buildProvider } from 'service-kit/provider/start-provider.ts';
import { expect, onTestFinished } from 'vitest';
import { startAldeamoUpstream } from '../../test/doubles/aldeamo-upstream.ts';
import { leaksIn, noteSecrets } from '../../test/leaks.ts';
import { type AldeamoOptions, createAldeamoGateway } from '../src/aldeamo-gateway.ts';
import { aldeamoService } from '../src/app.ts';

export const phone = '+573001234567';
export const sms: Send = { message: 'Pago recibido', customer_id: '123', phone, idempotency_key: 'pmt_1-1' };

/** Long enough for an answer over loopback on a busy machine. */
export const ample = 10_000;
/** For the tests that wait for it to pass. */
export const short = 150;

export interface LogLine {
  level: number;
  msg: string;
  [member: string]: unknown;
}

export function createLog() {
  const lines: LogLine[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  onTestFinished(() => {
    noteSecrets(sms);
    expect(leaksIn(lines.map((line) => JSON.stringify(line)))).toEqual([]);
  });
  const alerts = () => lines.filter(({ alert, alerts_ended }) => alert || alerts_ended);
  return { log, lines, alerts };
}

async function startUpstream() {
  const upstream = await startAldeamoUpstream();
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  return upstream;
}

/** The gateway, over real sockets, before an Aldeamo. */
export async function startGateway(options: Partial<AldeamoOptions> = {}) {
  const upstream = await startUpstream();
  const { log, ...told } = createLog();
  const gateway = createAldeamoGateway({
    username: upstream.username,
    password: upstream.password,
    url: upstream.url,
    timeoutMs: ample,
    maxConcurrency: 10,
    log,
    ...options,
  });
  onTestFinished(async () => gateway.close?.());
  return { upstream, gateway, ...told };
}

/** The service as it is configured by these variables. */
export async function startApp(env: Record<string, string> = {}) {
  const { log, ...told } = createLog();
  const config = readConfiguration(aldeamoService.configSchema, env);
  const app = await buildProvider(aldeamoService, config, { logger: log, version: '0.0.0' });
  onTestFinished(async () => {
    await app.close();
  });
  return { app, ...told };
}

/** The service, live, before an Aldeamo. */
export async function startLiveApp(env: Record<string, string> = {}) {
  const upstream = await startUpstream();
  const live = {
    ALDEAMO_USERNAME: upstream.username,
    ALDEAMO_PASSWORD: upstream.password,
    ALDEAMO_BASE_URL: upstream.url,
  };
  return { upstream, ...(await startApp({ ...live, ...env })) };
}
