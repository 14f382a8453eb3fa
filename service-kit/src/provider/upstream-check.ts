import type { UpstreamHealth } from '../contract/account.ts';
import { withDeadline } from '../deadline.ts';
import type { Account, Check } from './account.ts';
import type { Gateway } from './gateway.ts';

/** The provider is asked once in this time at most, in ms, however many ask for its health; a sandbox each time. */
const sharedMs = 1000;
const checkedEveryMs = 300_000;
/** While the account is refused, or the provider could not be asked. */
const checkedAgainMs = 15_000;

export interface UpstreamCheckOptions {
  gateway: Pick<Gateway, 'check'>;
  /** Undefined for a sandbox. */
  account: Account | undefined;
  timeoutMs: number;
}

/** Asks the provider for its health, and records in the account what that shows of it. */
export function createUpstreamCheck({ gateway, account, timeoutMs }: UpstreamCheckOptions) {
  let latest: { at: number; check: Promise<Check>; isUnderWay: boolean } | undefined;

  async function checkNow(): Promise<Check> {
    const late = (): Check => ({ state: 'unhealthy', reason: 'gateway_timeout' });
    const check = await withDeadline(timeoutMs, gateway.check(), late);
    account?.learnFromCheck(check);
    return check;
  }

  function shared(): Promise<Check> {
    if (!account) return checkNow();
    const at = performance.now();
    if (latest && (latest.isUnderWay || at - latest.at < sharedMs)) return latest.check;
    const current = { at, check: checkNow(), isUnderWay: true };
    latest = current;
    return current.check.finally(() => {
      current.isUnderWay = false;
    });
  }

  return {
    /** A fault that only sends have met is not shown by a check, so that a payment has to be the probe: `unknown`. */
    async health(): Promise<UpstreamHealth> {
      const check = await shared();
      const report = account?.report();
      if (check.state === 'unhealthy')
        return { status: 'unhealthy', reason: check.reason, account_refused: false };
      if (check.state === 'refused')
        return { status: 'unhealthy', reason: check.reason, account_refused: true };
      if (report?.state === 'refused')
        return { status: 'unknown', reason: report.reason, account_refused: true };
      if (check.state === 'unknown')
        return { status: 'unknown', reason: check.reason, account_refused: false };
      return { status: 'healthy', reason: null, account_refused: false };
    },

    /** Checks at once and then every few minutes, until the signal is aborted. */
    watch(signal: AbortSignal): void {
      let timer: NodeJS.Timeout | undefined;
      signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
      async function checkAgain(): Promise<void> {
        const { state } = await shared();
        if (signal.aborted) return;
        const isSettled = state === 'healthy' || state === 'unknown';
        timer = setTimeout(checkAgain, isSettled ? checkedEveryMs : checkedAgainMs).unref();
      }
      void checkAgain();
    },
  };
}
