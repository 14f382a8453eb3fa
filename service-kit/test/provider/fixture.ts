import type { InjectOptions } from 'fastify';
import { pino } from 'pino';
import { onTestFinished, vi } from 'vitest';
import { holdToDocument } from '../../../test/documented-answers.ts';
import { requireKnownProblems } from '../../../test/known-problems.ts';
import type { Outcome } from '../../src/contract/notification.ts';
import type { SandboxSettings } from '../../src/contract/sandbox-settings.ts';
import type { Check } from '../../src/provider/account.ts';
import { buildProviderApp, type ProviderAppOptions } from '../../src/provider/app.ts';
import type { Gateway, Send } from '../../src/provider/gateway.ts';
import { providerProblems } from '../../src/provider/provider-problems.ts';
import { createSandbox } from '../../src/provider/sandbox/sandbox.ts';

export const body = { message: 'Pago recibido', customer_id: '123' };
export const accepted: Outcome = { outcome: 'accepted', message_id: 'sms-1' };

/** The app of a live gateway that does what the test says. */
export async function buildFakeApp(fakes: Partial<Gateway> = {}, options: Partial<ProviderAppOptions> = {}) {
  const gateway = {
    send: vi.fn<(send: Send) => Promise<Outcome>>(fakes.send ?? (async () => accepted)),
    check: vi.fn<() => Promise<Check>>(fakes.check ?? (async () => ({ state: 'healthy' }))),
    receipts: fakes.receipts ?? [],
    ...(fakes.find && { find: fakes.find }),
  };
  return { ...(await build({ gateway, ...options })), gateway };
}

export async function buildSandboxApp(settings: Partial<SandboxSettings> = {}) {
  const sandbox = createSandbox({ provider: 'Aldeamo', settings });
  return { ...(await build({ gateway: sandbox, sandbox })), sandbox };
}

async function build(options: Partial<ProviderAppOptions> & { gateway: Gateway }) {
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const app = await buildProviderApp({
    provider: 'Aldeamo',
    version: '1.2.3',
    access: { credentials: [] },
    gatewayTimeoutMs: 5000,
    logger,
    ...options,
  });
  requireKnownProblems(app, providerProblems);
  onTestFinished(() => app.close());
  holdToDocument(`a provider, ${options.sandbox ? 'sandbox' : 'live'}`, app);
  return { app, lines };
}

export function notify(payload: unknown, key?: string): InjectOptions {
  return {
    method: 'POST',
    url: '/notify',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
    payload: JSON.stringify(payload),
  };
}
