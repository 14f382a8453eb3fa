import type { FastifyBaseLogger } from 'fastify';
import type { NotifyRequest, Provider } from 'service-kit/notification.ts';
import {
  type CircuitBreakerParameters,
  type CircuitReport,
  createCircuitBreaker,
} from './circuit-breaker.ts';
import { circuitOpen, consequencesOf } from './outcome.ts';
import {
  askedProvider,
  attemptKey,
  endAttempt,
  lastAttempt,
  type Payment,
  reasonOf,
  startAttempt,
} from './payment.ts';
import type { ProviderClient } from './provider-client.ts';

/** Makes a payment durable as it now is. An attempt is on disk before its call is made. */
export type Save = (payment: Payment) => Promise<void>;

export interface Notifier {
  /** The payment with its first attempt: through Aldeamo, or Twilio if Aldeamo's circuit is open, or nobody. */
  begin(payment: Payment): Payment;
  /**
   * Makes the call that was begun and saved, and another through Twilio if that is what its outcome asks for. The end
   * of the last attempt is the caller's to save.
   *
   * @throws what `save` throws; the call that it would have announced is not made
   */
  notify(payment: Payment, save: Save): Promise<Payment>;
  /** Who would be offered the next notification; null if both circuits are open. */
  current(): Provider | null;
  /** Asks Aldeamo now, and closes its circuit if it is well. */
  recover(): Promise<boolean>;
  report(): Record<Provider, CircuitReport>;
  close(): Promise<void>;
}

export interface NotifierOptions {
  clients: Record<Provider, Pick<ProviderClient, 'notify' | 'check' | 'close'>>;
  parameters: CircuitBreakerParameters;
  log: FastifyBaseLogger;
}

/** Aldeamo inside a circuit breaker whose fallback is Twilio, which has a breaker of its own. */
export function createNotifier({ clients, parameters, log }: NotifierOptions): Notifier {
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
      action: async (payment) => {
        const started = performance.now();
        const outcome = await clients[provider].notify(requestOf(payment), attemptKey(payment));
        return {
          result: endAttempt(payment, outcome, performance.now() - started),
          verdict: consequencesOf(outcome).breaker,
          reason: reasonOf(outcome),
        };
      },
    });

  const aldeamo = breakerOf('Aldeamo', async (failed, payment, save) =>
    handOver(failed ?? skip(payment), save),
  );
  // Behind Twilio there is nobody. Its breaker keeps a dead Twilio from costing every payment a deadline.
  const twilio = breakerOf('Twilio', async (failed, payment) => failed ?? skip(payment));

  async function handOver(payment: Payment, save: Save): Promise<Payment> {
    const handedOver = offerTo('Twilio', payment);
    await save(handedOver);
    return askedProvider(handedOver) ? twilio.fire(handedOver, save) : handedOver;
  }

  /** An attempt that is not made, because the circuit is open, is put down as that: it is why another provider sends. */
  function offerTo(provider: Provider, payment: Payment): Payment {
    const offered = startAttempt(payment, provider);
    return breakers[provider].isAvailable() ? offered : skip(offered);
  }

  const breakers = { Aldeamo: aldeamo, Twilio: twilio };
  const skip = (payment: Payment) => endAttempt(payment, circuitOpen, 0);

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
          return isDeclinedByAldeamo(settled) ? handOver(settled, save) : settled;
        }
        case 'Twilio':
          return twilio.fire(payment, save);
        case undefined:
          return payment;
      }
    },

    current() {
      if (aldeamo.isAvailable()) return 'Aldeamo';
      return twilio.isAvailable() ? 'Twilio' : null;
    },

    recover: aldeamo.recover,
    report: () => ({ Aldeamo: aldeamo.report(), Twilio: twilio.report() }),

    async close() {
      aldeamo.shutdown();
      twilio.shutdown();
      await Promise.all([clients.Aldeamo.close(), clients.Twilio.close()]);
    },
  };
}

function isDeclinedByAldeamo(payment: Payment): boolean {
  const { provider, outcome } = lastAttempt(payment);
  return provider === 'Aldeamo' && outcome === 'not_sent';
}

function requestOf({ customer_id, phone, notification }: Payment): NotifyRequest {
  return { customer_id, message: notification.message, ...(phone !== null && { phone }) };
}
