import type { FastifyBaseLogger } from 'fastify';
import type { NotifyRequest, Outcome, Provider } from 'service-kit/contract/notification.ts';
import { inSpan } from 'service-kit/telemetry/correlation.ts';
import {
  askedProvider,
  attemptKey,
  endAttempt,
  lastAttempt,
  reasonOf,
  settleAttempt,
  startAttempt,
} from '../domain/attempts.ts';
import { circuitOpen, consequencesOf, throttled } from '../domain/outcome.ts';
import type { Payment } from '../domain/payment.ts';
import type { RetryPolicy } from '../domain/retry-policy.ts';
import { type CircuitBreakerParameters, createCircuitBreaker } from '../providers/circuit-breaker.ts';
import type { CircuitState, ProviderReport } from '../providers/circuit-report.ts';
import type { ProviderClient } from '../providers/provider-client.ts';

/** Makes a payment durable as it now is. An attempt is on disk before its call is made. */
type Save = (payment: Payment) => Promise<void>;

export interface Notifier {
  /** The payment with its next attempt: through Aldeamo, or Twilio if Aldeamo can not be asked now, or nobody. */
  begin(payment: Payment): Payment;
  /**
   * Makes the call that was begun and saved, and another through Twilio if that is what its outcome asks for. The end
   * of the last attempt is the caller's to save.
   *
   * @throws what `save` throws; the call that it would have announced is not made
   */
  notify(payment: Payment, save: Save): Promise<Payment>;
  /**
   * Asks the providers what became of the attempts that are `unknown`, and puts down what they know. Sends nothing, so an
   * open circuit does not keep it from asking: what it hears may spare the customer a second SMS.
   */
  settleUnknown(payment: Payment): Promise<Payment>;
  /** Who would be offered the next notification; null if nobody can be asked now. */
  current(): Provider | null;
  /** When somebody can be asked, in ms since the epoch: now, or when a circuit lets a probe through. */
  availableAt(): number;
  /** Asks Aldeamo now, and closes its circuit if it is well. */
  recover(): Promise<boolean>;
  report(): Record<Provider, ProviderReport>;
  close(): Promise<void>;
}

/** Told of what happens to the providers. It never throws. */
export interface NotifierObserver {
  /** A provider was called, and this came of it. */
  attemptEnded?(provider: Provider, outcome: Outcome, durationMs: number): void;
  circuitChanged?(provider: Provider, state: CircuitState): void;
}

export interface NotifierOptions {
  clients: Record<Provider, ProviderClient>;
  parameters: CircuitBreakerParameters;
  policy: Pick<RetryPolicy, 'maxMs' | 'unknownOutcome'>;
  observers?: NotifierObserver[];
  log: FastifyBaseLogger;
}

export const providers = ['Aldeamo', 'Twilio'] as const;

/** Aldeamo inside a circuit breaker whose fallback is Twilio, which has a breaker of its own. */
export function createNotifier({
  clients,
  parameters,
  policy,
  observers = [],
  log,
}: NotifierOptions): Notifier {
  const throttledUntil: Record<Provider, number> = { Aldeamo: 0, Twilio: 0 };

  const breakerOf = (
    provider: Provider,
    fallback: (failed: Payment | undefined, payment: Payment, save: Save) => Promise<Payment>,
  ) =>
    createCircuitBreaker<[payment: Payment, save: Save], Payment>({
      provider,
      parameters,
      log,
      fallback,
      check: clients[provider].check,
      onChange: (state) => {
        for (const { circuitChanged } of observers) circuitChanged?.(provider, state);
      },
      action: async (payment) => {
        const started = performance.now();
        const key = attemptKey(payment, payment.attempts.length - 1);
        const outcome = await inSpan('attempt', { attributes: { provider } }, async (span) => {
          const told = await clients[provider].notify(requestOf(payment), key);
          span.setAttributes({ outcome: told.outcome, reason: reasonOf(told) ?? '' });
          return told;
        });
        const durationMs = performance.now() - started;
        heedRetryAfter(provider, outcome);
        for (const { attemptEnded } of observers) attemptEnded?.(provider, outcome, durationMs);
        return {
          result: endAttempt(payment, outcome, durationMs),
          countsAs: consequencesOf(outcome).breaker,
          reason: reasonOf(outcome),
        };
      },
    });

  const aldeamo = breakerOf('Aldeamo', async (failed, payment, save) => {
    const ended = failed ?? endAttempt(payment, circuitOpen, 0);
    return failsOver(ended) ? handOver(ended, save) : ended;
  });
  // Behind Twilio there is nobody. Its breaker keeps a dead Twilio from costing every payment a deadline.
  const twilio = breakerOf(
    'Twilio',
    async (failed, payment) => failed ?? endAttempt(payment, circuitOpen, 0),
  );
  const breakers = { Aldeamo: aldeamo, Twilio: twilio };

  async function handOver(payment: Payment, save: Save): Promise<Payment> {
    const handedOver = offerTo('Twilio', payment);
    if (!askedProvider(handedOver)) return handedOver;
    await save(handedOver);
    return twilio.fire(handedOver, save);
  }

  const failsOver = (payment: Payment) => {
    const { provider, outcome } = lastAttempt(payment);
    return (
      provider === 'Aldeamo' &&
      outcome !== null &&
      consequencesOf({ outcome }, policy.unknownOutcome).failOver
    );
  };

  /** An attempt that is not made is put down as that: it is why another provider sends. */
  function offerTo(provider: Provider, payment: Payment): Payment {
    const offered = startAttempt(payment, provider);
    if (!breakers[provider].isAvailable()) return endAttempt(offered, circuitOpen, 0);
    return Date.now() < throttledUntil[provider] ? endAttempt(offered, throttled, 0) : offered;
  }

  /** Retry-After is about the provider's account, not about one message: nobody asks it before. */
  function heedRetryAfter(provider: Provider, outcome: Outcome): void {
    if (outcome.outcome !== 'not_sent' || outcome.retry_after_ms === undefined) return;
    const until = Date.now() + Math.min(outcome.retry_after_ms, policy.maxMs);
    throttledUntil[provider] = Math.max(throttledUntil[provider], until);
  }

  const isAvailable = (provider: Provider) =>
    breakers[provider].isAvailable() && Date.now() >= throttledUntil[provider];

  const availableAt = (provider: Provider) => {
    const { next_probe_at } = breakers[provider].report();
    return Math.max(throttledUntil[provider], next_probe_at ? Date.parse(next_probe_at) : 0);
  };

  const reportOf = (provider: Provider): ProviderReport => ({
    ...breakers[provider].report(),
    throttled_until:
      Date.now() < throttledUntil[provider] ? new Date(throttledUntil[provider]).toISOString() : null,
  });

  return {
    begin(payment) {
      const offered = offerTo('Aldeamo', payment);
      return askedProvider(offered) ? offered : offerTo('Twilio', offered);
    },

    async notify(payment, save) {
      switch (askedProvider(payment)) {
        case 'Aldeamo': {
          const settled = await aldeamo.fire(payment, save);
          // Failures and an open circuit have been through the fallback. What is no sign of an outage has not: opossum
          // has no fallback for what it does not count as a failure.
          return failsOver(settled) ? handOver(settled, save) : settled;
        }
        case 'Twilio':
          return twilio.fire(payment, save);
        case undefined:
          return payment;
      }
    },

    async settleUnknown(payment) {
      const found = await Promise.all(
        payment.attempts.map(async ({ provider, outcome, started_at }, index) => {
          if (outcome !== 'unknown') return undefined;
          return clients[provider].ask(attemptKey(payment, index), Date.parse(started_at));
        }),
      );
      return found.reduce<Payment>(
        (known, outcome, index) => (outcome ? settleAttempt(known, index, outcome) : known),
        payment,
      );
    },

    current: () => providers.find(isAvailable) ?? null,
    // A half-open circuit does not say when: soon.
    availableAt: () =>
      providers.some(isAvailable)
        ? Date.now()
        : Math.max(Math.min(...providers.map(availableAt)), Date.now() + 1000),
    recover: aldeamo.recover,
    report: () => ({ Aldeamo: reportOf('Aldeamo'), Twilio: reportOf('Twilio') }),

    async close() {
      aldeamo.shutdown();
      twilio.shutdown();
      await Promise.all([clients.Aldeamo.close(), clients.Twilio.close()]);
    },
  };
}

function requestOf({ payment_id, customer_id, phone, message }: Payment): NotifyRequest {
  if (message === null) throw new Error(`${payment_id} has no text: it was redacted`);
  return { customer_id, message, ...(phone !== null && { phone }) };
}
