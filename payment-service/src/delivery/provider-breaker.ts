import type { FastifyBaseLogger } from 'fastify';
import type { AccountReport } from 'service-kit/contract/account.ts';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import { inSpan } from 'service-kit/telemetry/correlation.ts';
import { scheduleFirstAsk } from '../domain/asks.ts';
import { attemptKey, endAttempt, reasonOf } from '../domain/attempts.ts';
import { circuitOpen, consequencesOf } from '../domain/outcome.ts';
import type { Payment } from '../domain/payment.ts';
import { type RetryPolicy, secondsLeft } from '../domain/retry-policy.ts';
import { type CircuitBreakerParameters, createCircuitBreaker } from '../providers/circuit-breaker.ts';
import type { CircuitState } from '../providers/circuit-report.ts';
import { accountRefused } from '../providers/circuit-state.ts';
import type { ProviderClient } from '../providers/provider-client.ts';
import type { ProviderModes } from '../providers/provider-modes.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { Throttle } from './throttle.ts';

/** Commits a payment whose next attempt has begun: an attempt is on disk before its call is made. */
export type Save = (payment: Payment) => Promise<void>;

/** Called with what happens to the providers. It must not throw. */
export interface NotifierObserver {
  attemptEnded?(provider: Provider, outcome: Outcome, durationMs: number): void;
  circuitChanged?(provider: Provider, state: CircuitState, reason: string): void;
  /** Called with each report of the account, also if nothing has changed. */
  accountReported?(provider: Provider, account: AccountReport): void;
}

export interface ProviderBreakerOptions {
  clients: Record<Provider, ProviderClient>;
  parameters: CircuitBreakerParameters;
  policy: Pick<RetryPolicy, 'receiptTimeoutMs'>;
  observers?: NotifierObserver[];
  /** Default: the wall clock is right. */
  clock?: Pick<ClockWatch, 'aheadMs'>;
  modes: Pick<ProviderModes, 'learn' | 'isLiveOnly'>;
  log: FastifyBaseLogger;
}

/** The breaker around the calls to one provider; `next` gets a payment whose attempt failed or was not made. */
export function createProviderBreaker(
  provider: Provider,
  { clients, parameters, policy, observers = [], clock, modes, log }: ProviderBreakerOptions,
  throttle: Throttle,
  next: (ended: Payment, save: Save) => Promise<Payment>,
) {
  return createCircuitBreaker<[payment: Payment, save: Save], Payment>({
    provider,
    parameters,
    log,
    fallback: (failed, payment, save) => next(failed ?? endAttempt(payment, circuitOpen, 0), save),
    check: clients[provider].check,
    onChange: (state, reason) => {
      for (const { circuitChanged } of observers) circuitChanged?.(provider, state, reason);
    },
    action: async (payment) => {
      const started = performance.now();
      const request = requestOf(payment, clock?.aheadMs() ?? 0, modes.isLiveOnly());
      const key = attemptKey(payment, payment.attempts.length - 1);
      const outcome = await callProvider(clients[provider], provider, request, key);
      const durationMs = performance.now() - started;
      throttle.heed(provider, outcome);
      modes.learn(provider, outcome.mode);
      for (const { attemptEnded } of observers) attemptEnded?.(provider, outcome, durationMs);
      const isRefused = outcome.outcome === 'not_sent' && outcome.account_refused;
      return {
        result: scheduleFirstAsk(endAttempt(payment, outcome, durationMs), outcome, policy.receiptTimeoutMs),
        countsAs: consequencesOf(outcome).breaker,
        opensCircuit: isRefused ? accountRefused(outcome.reason) : undefined,
        reason: reasonOf(outcome),
      };
    },
  });
}

const callProvider = (
  client: ProviderClient,
  provider: Provider,
  request: NotifyRequest,
  key: string,
): Promise<Outcome> =>
  inSpan('attempt', { attributes: { provider } }, async (span) => {
    const outcome = await client.notify(request, key);
    span.setAttributes({ outcome: outcome.outcome, reason: reasonOf(outcome) ?? '' });
    return outcome;
  });

function requestOf(payment: Payment, clockAheadMs: number, isLiveOnly: boolean): NotifyRequest {
  const { payment_id, customer_id, phone, message } = payment;
  if (message === null) throw new Error(`${payment_id} has no text: it was redacted`);
  return {
    customer_id,
    message,
    ...(phone !== null && { phone }),
    ttl_seconds: secondsLeft(payment, clockAheadMs),
    ...(isLiveOnly && { live_only: true }),
  };
}
