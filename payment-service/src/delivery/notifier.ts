import { type Provider, providers } from 'service-kit/contract/notification.ts';
import { scheduleFirstAsk } from '../domain/asks.ts';
import {
  askedProvider,
  attemptKey,
  endAttempt,
  lastAttempt,
  settleAttempt,
  startAttempt,
} from '../domain/attempts.ts';
import { candidatesFor } from '../domain/deliveries.ts';
import { circuitOpen, consequencesOf, providerHeld, throttled } from '../domain/outcome.ts';
import { isTaken, type Payment } from '../domain/payment.ts';
import type { RetryPolicy } from '../domain/retry-policy.ts';
import type { ProviderReport } from '../providers/circuit-report.ts';
import { accountRefused } from '../providers/circuit-state.ts';
import { createProviderModes, type ProviderModes } from '../providers/provider-modes.ts';
import { watchProviders } from '../providers/provider-states.ts';
import type { Bounds } from './bounds.ts';
import { createProviderBreaker, type ProviderBreakerOptions, type Save } from './provider-breaker.ts';
import type { ProviderHolds } from './provider-holds.ts';
import { createThrottle } from './throttle.ts';

export interface Notifier {
  /**
   * Adds the next attempt to a payment: through Aldeamo, or through Twilio if Aldeamo is not available. Skipped attempts are
   * recorded: they explain the failover. If neither is available, no attempt runs. A provider that has accepted the SMS and not
   * delivered it is left out, since it would hardly deliver it now.
   */
  begin(payment: Payment): Payment;
  /**
   * Makes the call of the attempt that was begun and saved, and fails over to Twilio if its outcome asks for it. The caller
   * saves the end of the last attempt.
   *
   * @throws what `save` throws; the call of the attempt that was not saved is not made then
   */
  notify(payment: Payment, save: Save): Promise<Payment>;
  /**
   * Asks the providers about the attempts whose outcome is `unknown`, and settles those that they know. Open circuits do not
   * prevent it, because nothing is sent and an answer may spare the customer a second SMS.
   */
  settleUnknown(payment: Payment): Promise<Settled>;
  /** The active provider; null if none is available. */
  current(): Provider | null;
  /**
   * The time until a provider is available for this payment, in ms: 0, or until a pause ends, a circuit lets a probe through, or a
   * hold ends or is looked at again.
   */
  availableInMs(payment: Payment): number;
  /** Checks Aldeamo now, and closes its circuit if it is healthy. */
  recover(): Promise<boolean>;
  report(): Record<Provider, ProviderReport>;
  close(): Promise<void>;
}

export interface Settled {
  payment: Payment;
  /** A provider could not answer now, and may later. */
  isUnanswered: boolean;
}

export interface NotifierOptions extends Omit<ProviderBreakerOptions, 'modes'> {
  policy: Pick<RetryPolicy, 'unknownOutcome' | 'receiptTimeoutMs'>;
  /** They hold for the offer to Twilio that follows one to Aldeamo. */
  bounds?: Pick<Bounds, 'admit'>;
  /** Default: no provider is held. */
  holds?: Pick<ProviderHolds, 'of' | 'now'>;
  /** Default: nothing is known of them, and a sandbox beside a live provider accepts no SMS. */
  modes?: ProviderModes;
}

/** A hold may be released at any time, so that a payment which waits for it is looked at again after this time. */
const lookAgainAtHoldMs = 30_000;

/** Aldeamo inside a circuit breaker whose fallback is Twilio, which has a breaker of its own. */
export function createNotifier({
  bounds,
  holds = { of: () => null, now: Date.now },
  ...given
}: NotifierOptions): Notifier {
  const { clients, policy, log, modes = createProviderModes({ allowMixed: false, log }) } = given;
  const throttle = createThrottle();
  const options = { ...given, modes };

  const aldeamo = createProviderBreaker('Aldeamo', options, throttle, async (ended, save) =>
    failsOver(ended) ? failOver(ended, save) : ended,
  );
  // No provider comes after Twilio. Its breaker keeps a dead Twilio from costing every payment a deadline.
  const twilio = createProviderBreaker('Twilio', options, throttle, async (ended) => ended);
  const breakers = { Aldeamo: aldeamo, Twilio: twilio };
  const states = watchProviders(
    clients,
    (provider, reason) => breakers[provider].open(accountRefused(reason)),
    modes.learn,
    (provider, account) => {
      for (const { accountReported } of given.observers ?? []) accountReported?.(provider, account);
    },
  );

  async function failOver(payment: Payment, save: Save): Promise<Payment> {
    const offered = offerTo('Twilio', payment);
    const begun = bounds ? await bounds.admit(offered, payment) : offered;
    if (askedProvider(begun)) {
      await save(begun);
      return fire('Twilio', begun, save);
    }
    // What is sent again, although it was accepted once, does not wait for a bound.
    return begun !== offered && isTaken(payment) ? payment : begun;
  }

  /**
   * The hold is looked at once more, because the attempt was recorded meanwhile: after a start that first opens the store, from which
   * the holds are read.
   */
  async function fire(provider: Provider, begun: Payment, save: Save): Promise<Payment> {
    return holds.of(provider) ? endAttempt(begun, providerHeld, 0) : breakers[provider].fire(begun, save);
  }

  function failsOver(payment: Payment): boolean {
    const { provider, outcome } = lastAttempt(payment);
    if (provider !== 'Aldeamo' || outcome === null) return false;
    if (payment.next_attempt_at !== null) return false; // it is held
    if (!candidatesFor(payment).includes('Twilio')) return false;
    return consequencesOf({ outcome }, policy.unknownOutcome).failOver;
  }

  function offerTo(provider: Provider, payment: Payment): Payment {
    const begun = startAttempt(payment, provider);
    if (holds.of(provider)) return endAttempt(begun, providerHeld, 0);
    if (!breakers[provider].isAvailable()) return endAttempt(begun, circuitOpen, 0);
    return throttle.isPaused(provider) ? endAttempt(begun, throttled, 0) : begun;
  }

  const isAvailable = (provider: Provider) =>
    !holds.of(provider) && breakers[provider].isAvailable() && !throttle.isPaused(provider);

  function heldForMs(provider: Provider): number {
    const hold = holds.of(provider);
    if (!hold) return 0;
    return hold.until === null
      ? lookAgainAtHoldMs
      : Math.min(Date.parse(hold.until) - holds.now(), lookAgainAtHoldMs);
  }

  const availableInMs = (provider: Provider) =>
    Math.max(throttle.remainingMs(provider), breakers[provider].nextProbeInMs(), heldForMs(provider));

  function reportOf(provider: Provider): ProviderReport {
    const hold = holds.of(provider);
    return {
      ...breakers[provider].report(),
      throttled_until: throttle.until(provider),
      held: hold && { since: hold.since, until: hold.until },
      ...states.of(provider),
      mode: modes.of(provider),
    };
  }

  return {
    begin: (payment) =>
      candidatesFor(payment).reduce(
        (offered, provider) => (askedProvider(offered) ? offered : offerTo(provider, offered)),
        payment,
      ),

    async notify(payment, save) {
      switch (askedProvider(payment)) {
        case 'Aldeamo': {
          const ended = await fire('Aldeamo', payment, save);
          // opossum runs its fallback after a failure and for an open circuit, but not for an ignored call, nor is it asked in a hold.
          return failsOver(ended) ? failOver(ended, save) : ended;
        }
        case 'Twilio':
          return fire('Twilio', payment, save);
        case undefined:
          return payment;
      }
    },

    settleUnknown: (payment) => settleUnknown(clients, payment, policy.receiptTimeoutMs),
    current: () => providers.find(isAvailable) ?? null,
    availableInMs(payment) {
      const candidates = candidatesFor(payment);
      if (candidates.some(isAvailable)) return 0;
      // A half-open circuit has no time of its next probe: it is looked at again in a second.
      return Math.max(Math.min(...candidates.map(availableInMs)), 1000);
    },
    recover: aldeamo.recover,
    report: () => ({ Aldeamo: reportOf('Aldeamo'), Twilio: reportOf('Twilio') }),

    async close() {
      states.stop();
      aldeamo.shutdown();
      twilio.shutdown();
      await Promise.all([clients.Aldeamo.close(), clients.Twilio.close()]);
    },
  };
}

async function settleUnknown(
  clients: NotifierOptions['clients'],
  payment: Payment,
  receiptTimeoutMs: number,
): Promise<Settled> {
  const answers = await Promise.all(
    payment.attempts.map(async ({ provider, outcome, started_at }, index) =>
      outcome === 'unknown'
        ? clients[provider].ask(attemptKey(payment, index), Date.parse(started_at))
        : undefined,
    ),
  );
  const settled = answers.reduce<Payment>(
    (known, answer, index) =>
      typeof answer === 'object'
        ? scheduleFirstAsk(settleAttempt(known, index, answer), answer, receiptTimeoutMs)
        : known,
    payment,
  );
  return { payment: settled, isUnanswered: answers.includes('unanswered') };
}
