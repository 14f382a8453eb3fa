import { parseJson, reasonOfError } from 'service-kit/client/answer.ts';
import { createHttpClient, type HttpClientOptions } from 'service-kit/client/http-client.ts';
import { accountReportSchema, type UpstreamHealth } from 'service-kit/contract/account.ts';
import { modeSchema } from 'service-kit/contract/mode.ts';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import {
  type FoundMessage,
  foundMessageOf,
  outcomeOfAnswer,
  type QueriedOutcome,
  settledBy,
  unhealthy,
  upstreamHealthOf,
} from './provider-answer.ts';

export interface ProviderClientOptions extends HttpClientOptions {
  provider: Provider;
  /** The longest time, in ms, that can have passed since a time in ms since the epoch. */
  longestSince: (at: number) => number;
}

export interface ProviderClient {
  /** Sends one SMS through the provider; a repeated key is the same SMS. Every error is an outcome: it never rejects. */
  notify(request: NotifyRequest, idempotencyKey: string): Promise<Outcome>;
  /**
   * Asks for the outcome of the call with this key, which began at `startedAt` (ms since the epoch), and cancels it if it has
   * not arrived yet. It never rejects.
   */
  ask(idempotencyKey: string, startedAt: number): Promise<QueriedOutcome>;
  /** Asks what became of an SMS that the provider has accepted. It never rejects. */
  findMessage(messageId: string): Promise<FoundMessage>;
  /** Has the provider service ask the provider's API. It never rejects. */
  check(): Promise<UpstreamHealth>;
  /** What the provider service reports of itself, without asking the provider; undefined if it does not. It never rejects. */
  readState(): Promise<ProviderState | undefined>;
  close(): Promise<void>;
}

/** An older provider service reports no account, and a newer one may report it otherwise: that hides no mode. */
const providerStateSchema = z.object({
  mode: modeSchema,
  account: accountReportSchema.nullable().default(null).catch(null),
});
export type ProviderState = z.infer<typeof providerStateSchema>;

export function createProviderClient({
  provider,
  longestSince,
  ...options
}: ProviderClientOptions): ProviderClient {
  const service = createHttpClient(options);

  return {
    notify: (request, idempotencyKey) =>
      service.send(
        {
          method: 'POST',
          path: '/notify',
          headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
          body: JSON.stringify(request),
        },
        (answer) => outcomeOfAnswer(provider, answer),
      ),

    async ask(idempotencyKey, startedAt) {
      try {
        const headers = { 'idempotency-key': idempotencyKey };
        const answer = await service.call({ method: 'DELETE', path: '/notify', headers });
        return settledBy(provider, answer, longestSince(startedAt));
      } catch {
        return 'unanswered';
      }
    },

    async findMessage(messageId) {
      try {
        const path = `/messages/${encodeURIComponent(messageId)}`;
        return foundMessageOf(provider, messageId, await service.call({ method: 'GET', path }));
      } catch {
        return 'unanswered';
      }
    },

    async check() {
      try {
        return upstreamHealthOf(await service.call({ method: 'GET', path: '/health/upstream' }));
      } catch (error) {
        return unhealthy(reasonOfError(error));
      }
    },

    async readState() {
      try {
        const { status, body } = await service.call({ method: 'GET', path: '/health' });
        return status === 200 ? providerStateSchema.safeParse(parseJson(body)).data : undefined;
      } catch {
        return undefined;
      }
    },

    close: service.close,
  };
}
