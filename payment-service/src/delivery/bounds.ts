import type { FastifyBaseLogger } from 'fastify';
import { isOrdinaryNumberOf } from 'service-kit/contract/destination.ts';
import type { Mode } from 'service-kit/contract/mode.ts';
import type { Provider } from 'service-kit/contract/notification.ts';
import type { Country } from 'service-kit/contract/phone.ts';
import { askedProvider } from '../domain/attempts.ts';
import { dayMs, dayOf, hourMs, hourOf, type Precondition, untilTurn } from '../domain/bounds.ts';
import type { Payment } from '../domain/payment.ts';
import { postpone, type RetryPolicy, waitForPrecondition } from '../domain/retry-policy.ts';
import { type Store, StoreUnavailable } from '../store/store.ts';
import { acceptedNow, type ClockWatch } from './clock-watch.ts';
import { createDailyAllowance } from './daily-allowance.ts';

/**
 * What has to hold for each offer to a live provider: a phone, and the bounds on what a mistake can cost, which are where SMS may go
 * and how many.
 */
export interface Bounds {
  /**
   * Whether a bound applies to the attempt that was begun. If so, its phone is final: the one that is stored for the customer
   * later was not looked at.
   */
  applyTo(begun: Payment): boolean;
  /** Whether SMS are counted that are offered by the attempt that was begun. */
  count(begun: Payment): boolean;
  /**
   * Counts the SMS of an attempt that was begun and is not recorded yet. Returns `begun` if it may be made, else `before`, the
   * payment without it, as it waits: for the bound, for a phone, or for a store that does not answer. A payment without a phone gets
   * its customer's. Not a promise unless a bound applies.
   */
  admit(begun: Payment, before: Payment): Payment | Promise<Payment>;
}

export interface BoundsSettings {
  /** Undefined: those of the default country if the provider is live, else all. */
  allowedCountries: Country[] | undefined;
  defaultCountry: Country;
  /** SMS that are offered to live providers in a UTC day; 0: no limit. */
  maxPerDay: number;
  /** SMS that are offered to live providers for one recipient in a UTC hour; 0: no limit. */
  maxPerRecipientPerHour: number;
}

export interface BoundsOptions extends BoundsSettings {
  store: Pick<Store, 'takeOfDay' | 'takeOfRecipient' | 'findPhone'>;
  /** Null until the provider service has reported it: until then it counts as live, because it may be. */
  modeOf: (provider: Provider) => Mode | null;
  clock: Pick<ClockWatch, 'aheadMs' | 'mayExpire'>;
  policy: Pick<RetryPolicy, 'maxMs'>;
  log: Pick<FastifyBaseLogger, 'error'>;
}

/** The pause while the store cannot be asked, or the mode of the provider is not known, in ms. */
const askAgainMs = 1000;

export function createBounds(options: BoundsOptions): Bounds {
  const { store, modeOf, clock, policy, log } = options;
  const { allowedCountries, defaultCountry, maxPerDay, maxPerRecipientPerHour } = options;
  /** A day must not turn by a wrong clock. */
  const now = () => acceptedNow(clock);
  const daily = createDailyAllowance(store, maxPerDay, () => dayOf(now()));

  /** Undefined if no attempt was begun. */
  const modeAt = (begun: Payment): Mode | null | undefined => {
    const provider = askedProvider(begun);
    return provider && modeOf(provider);
  };
  const mayBeLive = (begun: Payment) => modeAt(begun) === 'live' || modeAt(begun) === null;
  const countriesOf = (begun: Payment): Country[] | undefined =>
    allowedCountries ?? (mayBeLive(begun) ? [defaultCountry] : undefined);
  const applyTo = (begun: Payment) => askedProvider(begun) !== undefined && countriesOf(begun) !== undefined;
  const count = (begun: Payment) => (maxPerDay > 0 || maxPerRecipientPerHour > 0) && mayBeLive(begun);

  async function takeOfRecipient(phone: string, segments: number): Promise<boolean> {
    if (maxPerRecipientPerHour === 0) return true;
    return store.takeOfRecipient({ hour: hourOf(now()), phone, cap: maxPerRecipientPerHour, segments });
  }

  /** The day is asked first, because its answer is mostly known here, and it can be given back. */
  async function take(phone: string, segments: number): Promise<Precondition | undefined> {
    const giveBack = maxPerDay === 0 ? () => {} : await daily.take(segments);
    if (!giveBack) return 'daily_limit';
    let isTaken = false;
    try {
      isTaken = await takeOfRecipient(phone, segments);
    } finally {
      if (!isTaken) giveBack();
    }
    return isTaken ? undefined : 'recipient_limit';
  }

  async function findReason(begun: Payment): Promise<Precondition | undefined> {
    const { phone, segments } = begun;
    // A provider whose mode is not known may be a sandbox, which needs no phone.
    if (phone === null) return modeAt(begun) === 'live' ? 'phone_unknown' : undefined;
    if (!isOrdinaryNumberOf(countriesOf(begun) ?? [], phone)) return 'country_not_allowed';
    return count(begun) ? take(phone, segments) : undefined;
  }

  const waitMs: Record<Precondition, () => number> = {
    phone_unknown: () => Number.POSITIVE_INFINITY,
    country_not_allowed: () => Number.POSITIVE_INFINITY,
    daily_limit: () => untilTurn(now(), dayMs),
    recipient_limit: () => untilTurn(now(), hourMs),
  };

  async function admitBounded(begun: Payment, before: Payment): Promise<Payment> {
    try {
      const phone = begun.phone ?? (await store.findPhone(begun)) ?? null;
      const reason = await findReason({ ...begun, phone });
      if (!reason) return { ...begun, phone };
      const pauseMs = modeAt(begun) === null ? askAgainMs : waitMs[reason]();
      return waitForPrecondition({ ...before, phone }, reason, policy, pauseMs);
    } catch (err) {
      if (!(err instanceof StoreUnavailable)) throw err;
      log.error({ err }, 'the bounds cannot be checked; the notification waits');
      return postpone(before, policy, askAgainMs);
    }
  }

  return {
    applyTo,
    count,
    admit: (begun, before) => (applyTo(begun) ? admitBounded(begun, before) : begun),
  };
}
