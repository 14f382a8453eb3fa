import type { InjectOptions } from 'fastify';
import { Registry } from 'prom-client';
import type { Answer } from 'service-kit/client/answer.ts';
import type { HttpRequest } from 'service-kit/client/http-client.ts';
import type { UpstreamHealth } from 'service-kit/contract/account.ts';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import type { AccessOptions } from 'service-kit/http/access.ts';
import type { AdmissionOptions } from 'service-kit/http/admission.ts';
import { createLogger } from 'service-kit/http/start.ts';
import type { Server } from 'service-kit/http/types.ts';
import { defaultSandboxSettings } from 'service-kit/provider/sandbox/sandbox.ts';
import { expect, onTestFinished } from 'vitest';
import { holdToDocument } from '../../test/documented-answers.ts';
import { requireKnownProblems } from '../../test/known-problems.ts';
import { leaksIn, noteSecrets } from '../../test/leaks.ts';
import { buildApp } from '../src/app.ts';
import { type BoundsOptions, createBounds } from '../src/delivery/bounds.ts';
import { watchClock } from '../src/delivery/clock-watch.ts';
import { createNotifier } from '../src/delivery/notifier.ts';
import { paymentProblems } from '../src/delivery/problems.ts';
import { createProviderHolds } from '../src/delivery/provider-holds.ts';
import type { UndeliveredPolicy, UnknownOutcomePolicy } from '../src/domain/outcome.ts';
import { type PaymentView, paymentViewSchema } from '../src/domain/payment-view.ts';
import type { RetryPolicy } from '../src/domain/retry-policy.ts';
import type { RequestRules } from '../src/http/payment-request.ts';
import { createRecentAttempts } from '../src/live/recent-attempts.ts';
import { createSandboxControls } from '../src/live/sandbox-controls.ts';
import { countAttempts } from '../src/metrics/attempts.ts';
import { createHistory } from '../src/operations/history.ts';
import { circuitBreakerDefaults } from '../src/providers/circuit-breaker.ts';
import type { ProviderReport } from '../src/providers/circuit-report.ts';
import type { FoundMessage, QueriedOutcome } from '../src/providers/provider-answer.ts';
import type { ProviderState } from '../src/providers/provider-client.ts';
import type { EventRecording } from '../src/store/events.ts';
import type { Store } from '../src/store/store.ts';
import type { Endpoint } from '../src/webhooks/endpoint.ts';
import { createMemoryStore } from './store/memory-store.ts';

export const body = { amount: 100, customer_id: '123' };
export const refused: Outcome = { outcome: 'not_sent', reason: 'connection_refused' };

export interface Call {
  provider: Provider;
  request: NotifyRequest;
  key: string;
}

/** What is reported of a provider whose circuit is closed, and of which nothing more is known. */
export const closedReport: ProviderReport = {
  state: 'closed',
  since: '2026-01-01T00:00:00.000Z',
  reason: 'start',
  last_check: null,
  consecutive_failures: 0,
  calls: 0,
  failures: 0,
  next_probe_at: null,
  throttled_until: null,
  held: null,
  mode: null,
  account: null,
};

/** What a check finds. */
export const upstreamHealth = (isHealthy: boolean): UpstreamHealth => ({
  status: isHealthy ? 'healthy' : 'unhealthy',
  reason: isHealthy ? null : 'http_503',
  account_refused: false,
});

/** A test double of a provider's client that records its calls. It accepts everything unless a test replaces `answer`. */
export function fakeClient(provider: Provider, calls: Call[]) {
  let accepted = 0;
  const client = {
    answer: async (): Promise<Outcome> => ({ outcome: 'accepted', message_id: `${provider}-${++accepted}` }),
    well: true,
    /** What its service reports of itself. */
    state: undefined as ProviderState | undefined,
    closed: false,
    /** The answer to a status query of an attempt. */
    known: async (_key: string): Promise<QueriedOutcome> => undefined,
    notify(request: NotifyRequest, key: string) {
      calls.push({ provider, request, key });
      return client.answer();
    },
    ask: (key: string) => client.known(key),
    check: async () => upstreamHealth(client.well),
    /** The answer to a question for an SMS. */
    found: async (_messageId: string): Promise<FoundMessage> => 'unavailable',
    findMessage: (messageId: string) => client.found(messageId),
    readState: async (): Promise<ProviderState | undefined> => client.state,
    close: async () => {
      client.closed = true;
    },
  };
  return client;
}

/** A test double of the client of a provider service's sandbox. A test can replace `answer`. */
function fakeSandbox() {
  let settings = defaultSandboxSettings;
  const sandbox = {
    answer: async ({ body = '{}' }: HttpRequest): Promise<Answer> => {
      settings = { ...settings, ...JSON.parse(body) };
      return { status: 200, retryAfter: undefined, body: JSON.stringify(settings) };
    },
    call: (request: HttpRequest) => sandbox.answer(request),
    close: async () => {},
  };
  return sandbox;
}

export interface FixtureOptions {
  unknownOutcome?: UnknownOutcomePolicy;
  undelivered?: UndeliveredPolicy;
  rules?: Partial<RequestRules>;
  access?: AccessOptions & AdmissionOptions;
  clientsIsolated?: boolean;
  /** Without them, no bound applies. */
  bounds?: Partial<BoundsOptions>;
  /** In place of the one in memory, which is returned. The app closes it. */
  store?: Store;
  /** What is recorded, and for how long, in ms. */
  events?: { recording: EventRecording; retentionMs?: number };
  /** The answers of the merchant's endpoint. Without it there is none. */
  webhook?: Endpoint['post'];
  /** Whether history and statistics are kept. Default: false. */
  keepsRecords?: boolean;
}

export const day = 86_400_000;

/** Those of a trio of sandboxes. */
export const noBounds = {
  allowedCountries: undefined,
  defaultCountry: 'CO',
  maxPerDay: 0,
  maxPerRecipientPerHour: 0,
  modeOf: () => 'sandbox' as const,
} as const;

/**
 * The app without network and disk. A retry is due after up to a day, so that the outbox, which runs, sends nothing in these
 * tests.
 */
export async function build({
  unknownOutcome = 'resend',
  undelivered = 'resend',
  rules = {},
  access = { credentials: [] },
  clientsIsolated = false,
  bounds: boundsOptions = {},
  store: given,
  events: { recording, retentionMs = 30 * day } = { recording: 'off' },
  webhook,
  keepsRecords = false,
}: FixtureOptions = {}) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger(
    { level: 'info' },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  );
  const calls: Call[] = [];
  const clients = { Aldeamo: fakeClient('Aldeamo', calls), Twilio: fakeClient('Twilio', calls) };
  const memory = createMemoryStore({ leaseMs: 15_000, events: recording, clientsIsolated });
  const store: Store = given ?? memory;
  const policy: RetryPolicy = {
    baseMs: day,
    maxMs: day,
    ttlMs: day,
    unknownOutcome,
    patienceMs: day,
    undelivered,
    receiptTimeoutMs: 600_000,
  };
  const metrics = new Registry();
  const history = createHistory({
    ...{ isKept: keepsRecords, replica: 'replica-1', version: '1.2.3', log: logger },
  });
  const recentAttempts = createRecentAttempts();
  const sandboxes = { Aldeamo: fakeSandbox(), Twilio: fakeSandbox() };
  const clock = watchClock({ log: logger });
  const bounds = createBounds({ ...noBounds, store, clock, policy, log: logger, ...boundsOptions });
  const holds = createProviderHolds();
  const notifier = createNotifier({
    clients,
    parameters: circuitBreakerDefaults,
    policy,
    bounds,
    holds,
    observers: [countAttempts(metrics, 3000), recentAttempts, history.observer],
    log: logger,
  });
  const app = await buildApp({
    store,
    notifier,
    clients,
    policy,
    clock,
    bounds,
    holds,
    rules: { defaultCountry: 'CO', transliterate: false, maxSegments: 11, maxTtlSeconds: 86_400, ...rules },
    clientsIsolated,
    events: { recording, retentionMs, webhooks: webhook && webhooksOf(webhook) },
    records: { history, historyRetentionMs: keepsRecords ? 30 * day : 0, keepsStatistics: keepsRecords },
    outbox: { concurrency: 16, ratePerSecond: 100, keyRetentionMs: day, paymentRetentionMs: 0 },
    metrics,
    deadlineMs: 3000,
    access,
    replica: { name: 'replica-1' },
    live: { recentAttempts, sandboxControls: createSandboxControls(sandboxes) },
    logger,
    version: '1.2.3',
  });
  requireKnownProblems(app, paymentProblems);
  onTestFinished(async () => {
    await app.close();
    for (const { request } of calls) noteSecrets(request);
    const shown = (await metrics.metrics()).split('\n');
    expect(leaksIn([...lines.map((line) => JSON.stringify(line)), ...shown])).toEqual([]);
  });
  holdToDocument('payment-service', app);
  return { app, store: memory, clients, sandboxes, calls, lines };
}

const webhooksOf = (post: Endpoint['post']) => ({
  endpoint: { host: 'shop.example', post, close: async () => {} },
  concurrency: 32,
  timeoutMs: 15_000,
});

/** Delays a provider's calls until `letGo`, which ends all of them with the same outcome. */
export function hold(client: ReturnType<typeof fakeClient>) {
  const held = Promise.withResolvers<Outcome>();
  const called = Promise.withResolvers<void>();
  client.answer = () => {
    called.resolve();
    return held.promise;
  };
  const letGo = (outcome: Outcome = { outcome: 'accepted', message_id: 'AL1' }) => held.resolve(outcome);
  onTestFinished(() => letGo());
  return { letGo, called: called.promise };
}

/** Sends the request at once, because inject() sends only when it is awaited. */
export const begin = async (app: Server, request: InjectOptions) => await app.inject(request);
export type Response = Awaited<ReturnType<typeof begin>>;

export function partition<T>(all: T[], isOne: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isOne), all.filter((one) => !isOne(one))];
}

export function keyed(
  key: string,
  payload: unknown = body,
  headers: Record<string, string> = {},
): InjectOptions {
  const request = post(payload);
  return { ...request, headers: { ...request.headers, 'idempotency-key': key, ...headers } };
}

export function post(payload: unknown, type = 'application/json'): InjectOptions {
  return {
    method: 'POST',
    url: '/payments',
    headers: { 'content-type': type },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  };
}

export const reason = 'the customer called';

/** An operator's request to send a notification again. */
export const resend = (
  payment_id: string,
  fields: object = {},
  headers: Record<string, string> = {},
): InjectOptions => ({
  ...post({ reason, ...fields }),
  url: `/payments/${payment_id}/notification/resend`,
  headers: { 'content-type': 'application/json', ...headers },
});

export const cancel = (payment_id: string, fields: object = {}): InjectOptions => ({
  ...post({ reason, ...fields }),
  url: `/payments/${payment_id}/notification/cancel`,
});

/** The payment in an answer, which must have the fields of the schema and no other. */
export function paymentOf(response: { json: () => unknown }): PaymentView {
  const payment = paymentViewSchema.parse(response.json());
  expect(response.json()).toEqual(payment);
  return payment;
}
