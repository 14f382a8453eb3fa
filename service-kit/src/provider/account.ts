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
  /** Returns the outcome of the send, which says so if the account is refused. */
  learnFromSend(reading: Reading, recipient: string): Outcome;
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
  /** A check has met the refusal, so that a check shows its end. */
  let isSeenByCheck = false;
  let run: { reason: string; recipients: Set<string> } | undefined;
  const loggedAt = new Map<string, number>();

  function enter(state: 'ok' | 'refused', reason: string | null): void {
    if (current.state === state) return; // by another reason, which a check and a send may have in turn
    const previous = current.state;
    current = { state, reason, since: now() };
    const fields = { provider, account: state, previous, reason };
    if (state === 'refused')
      log.error(fields, 'the provider refuses all SMS until the account or a setting is corrected');
    else log.info(fields, 'the provider accepts the account');
  }

  function refuse(reason: string, byCheck: boolean): void {
    isSeenByCheck = byCheck || (current.state === 'refused' && isSeenByCheck);
    enter('refused', reason);
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
    if (fault === 'account') refuse(reason, false);
    else logOnce(fault, reason);
    if (fault === 'sender') extendRun(reason, recipient);
  }

  function extendRun(reason: string, recipient: string): void {
    if (run?.reason !== reason) run = { reason, recipients: new Set() };
    run.recipients.add(recipient);
    if (run.recipients.size >= longestRun) refuse(reason, false);
  }

  function noteAccepted(): void {
    if (run) loggedAt.delete(run.reason);
    run = undefined;
    enter('ok', null);
  }

  return {
    report: () => ({ ...current, balance }),

    learnFromCheck(check) {
      if (check.state === 'refused') refuse(check.reason, true);
      if (check.state !== 'healthy') return;
      if (check.balance !== undefined) noteBalance(check.balance);
      if (current.state !== 'refused' || isSeenByCheck) enter('ok', null);
    },

    learnFromSend({ outcome, fault }, recipient) {
      if (outcome.outcome === 'accepted') noteAccepted();
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

  function noteBalance(left: number): void {
    if (left <= 0 && (balance ?? 1) > 0)
      log.error({ provider, balance: left }, 'the balance of the account is used up');
    balance = left;
  }
}

const now = () => new Date().toISOString();
