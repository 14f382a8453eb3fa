import type { FastifyBaseLogger } from 'fastify';
import type { AccountReport } from '../contract/account.ts';
import type { Outcome, Provider } from '../contract/notification.ts';

/**
 * What a person must correct before the provider accepts an SMS again. `account`: every SMS is refused. `sender`: the sender, the
 * service or a setting is at fault, and probably every SMS is. `permission`, `cap`: SMS of one kind, or until a time.
 */
export const faults = ['account', 'sender', 'permission', 'cap'] as const;
export type Fault = (typeof faults)[number];

/** An outcome, and the fault that the provider's answer names. */
export interface Reading {
  outcome: Outcome;
  fault?: Fault | undefined;
}

/** What a check has found without sending anything. */
export type Check =
  /** `balance`: the SMS that are left, where the provider reports them. */
  | { state: 'healthy'; balance?: number }
  /** The provider answers, and the answer does not show whether it would accept an SMS. */
  | { state: 'unknown'; reason: string }
  /** It refuses the account. */
  | { state: 'refused'; reason: string }
  | { state: 'unhealthy'; reason: string };

/** The state of the account at the provider, learned from checks and sends. */
export interface Account {
  report(): AccountReport;
  learnFromCheck(check: Check): void;
  /**
   * Returns the outcome of the send, which says so if the account is refused.
   *
   * @param begunAt when the send began, by `performance.now()`
   */
  learnFromSend(reading: Reading, recipient: string, begunAt: number): Outcome;
  /** Reports a fault that a delivery receipt names. Receipts come late, so that it says nothing about the present state. */
  learnFromReceipt(fault: Fault, reason: string): void;
}

export interface AccountOptions {
  provider: Provider;
  log: FastifyBaseLogger;
  /** Called with each answer that names a fault. */
  onFault?: ((fault: Fault) => void) | undefined;
}

/** So many sends in a row to different recipients that fail with one code show a fault of the account, whatever the code. */
const longestRun = 3;
/** How long a fault that may come and go is not logged again, in ms. */
const loggedAgainAfterMs = 3_600_000;

export function createAccount({ provider, log, onFault = () => {} }: AccountOptions): Account {
  let current: Omit<AccountReport, 'balance'> = { state: 'unknown', reason: null, since: now() };
  let balance: number | null = null;
  /** When it was refused, by `performance.now()`. */
  let refusedAt = Number.NEGATIVE_INFINITY;
  /** The reason that each has met last, because they may have two codes for one refusal. A check that has met it shows its end. */
  let met: { check?: string; send?: string } = {};
  let run: { reason: string; recipients: Set<string> } | undefined;
  const loggedAt = new Map<string, number>();

  function accept(): void {
    if (current.state === 'ok') return;
    log.info(
      { provider, account: 'ok', previous: current.state, reason: null },
      'the provider accepts the account',
    );
    current = { state: 'ok', reason: null, since: now() };
    met = {};
  }

  /** The latest reason is the one to correct. It is logged if it is new to what has met it. */
  function refuse(by: 'check' | 'send', reason: string): void {
    const isNew = current.state !== 'refused' || (met[by] ?? reason) !== reason;
    if (isNew)
      log.error(
        { provider, account: 'refused', previous: current.state, reason },
        'the provider refuses all SMS until the account or a setting is corrected',
      );
    if (current.state !== 'refused') {
      current = { state: 'refused', reason, since: now() };
      refusedAt = performance.now();
    }
    current.reason = reason;
    met[by] = reason;
  }

  function logOnce(fault: Fault, reason: string): void {
    const at = performance.now();
    if (at - (loggedAt.get(reason) ?? Number.NEGATIVE_INFINITY) < loggedAgainAfterMs) return;
    loggedAt.set(reason, at);
    log.error(
      { provider, fault, reason },
      'the provider refused an SMS for a fault that a person must correct',
    );
  }

  function noteFault(fault: Fault, reason: string, recipient: string): void {
    onFault(fault);
    if (fault === 'account') refuse('send', reason);
    else logOnce(fault, reason);
    if (fault === 'sender') extendRun(reason, recipient);
  }

  function extendRun(reason: string, recipient: string): void {
    if (run?.reason !== reason) run = { reason, recipients: new Set() };
    run.recipients.add(recipient);
    if (run.recipients.size >= longestRun) refuse('send', reason);
  }

  /** A send that began before the account was refused may end after it, and says nothing about the present. */
  function noteAccepted(begunAt: number): void {
    if (current.state === 'refused' && begunAt < refusedAt) return;
    if (run) loggedAt.delete(run.reason);
    run = undefined;
    accept();
  }

  return {
    report: () => ({ ...current, balance }),

    learnFromCheck(check) {
      if (check.state === 'refused') refuse('check', check.reason);
      if (check.state !== 'healthy') return;
      noteBalance(check.balance ?? null);
      if (current.state !== 'refused' || met.check !== undefined) accept();
    },

    learnFromSend({ outcome, fault }, recipient, begunAt) {
      if (outcome.outcome === 'accepted') noteAccepted(begunAt);
      if (outcome.outcome !== 'not_sent' || !fault) return outcome;
      noteFault(fault, outcome.reason, recipient);
      const isRefused = current.state === 'refused' && (fault === 'account' || fault === 'sender');
      return isRefused ? { ...outcome, account_refused: true } : outcome;
    },

    learnFromReceipt(fault, reason) {
      onFault(fault);
      logOnce(fault, reason);
    },
  };

  /** Null if the provider no longer reports one: the last one would be shown for ever. */
  function noteBalance(left: number | null): void {
    if (left !== null && left <= 0 && (balance ?? 1) > 0)
      log.error({ provider, balance: left }, 'the balance of the account is used up');
    balance = left;
  }
}

const now = () => new Date().toISOString();
