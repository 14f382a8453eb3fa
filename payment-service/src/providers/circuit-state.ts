import type { FastifyBaseLogger } from 'fastify';
import type Opossum from 'opossum';
import type { UpstreamHealth } from 'service-kit/contract/account.ts';
import type { Provider } from 'service-kit/contract/notification.ts';
import type { CircuitReport, CircuitState } from './circuit-report.ts';
import type { FailureRun } from './failure-run.ts';
import type { RollingWindow } from './rolling-window.ts';
import { startWait, type Wait } from './wait.ts';

export interface CircuitStateOptions {
  provider: Provider;
  /** The provider's health, found without a payment. It carries its own deadline, and never rejects. */
  check: () => Promise<UpstreamHealth>;
  /** Called with each state that the circuit enters, and why. */
  onChange?: ((state: CircuitState, reason: string) => void) | undefined;
  log: FastifyBaseLogger;
}

export interface Circuit {
  readonly state: CircuitState;
  /** Incremented at each transition, so that results of calls from an earlier state are ignored. */
  readonly generation: number;
  open(reason: string): void;
  /** A call of this generation was ignored: it may have been the probe. */
  probeSaidNothing(generation: number): void;
  /** Checks the provider now. Closes the circuit and counts from zero, unless the provider is unhealthy or refuses the account. */
  recover(): Promise<boolean>;
  report(): Pick<CircuitReport, 'state' | 'since' | 'reason' | 'last_check' | 'next_probe_at'>;
  /** The time until an open circuit lets a probe through, in ms; 0 in the other states. */
  nextProbeInMs(): number;
  shutdown(): void;
}

/**
 * Records the states of an opossum breaker: since when and why it is open or closed, what the last check of an open one has
 * found, and which calls belong to a state. A half-open circuit checks the provider in the background, so that it closes without a customer's payment as the probe. If only a send can
 * tell, it stays half-open for a payment.
 */
export function followCircuit<Args extends unknown[], Result>(
  breaker: Opossum<Args, Result>,
  { window, run, resetTimeout }: { window: RollingWindow; run: FailureRun; resetTimeout: number },
  { provider, check, onChange, log }: CircuitStateOptions,
): Circuit {
  const { current, enter, recordCheck, ignoreCallsUnderWay } = createStateRecord(run, {
    provider,
    onChange,
    log,
  });
  /** The end of the latest opening: opossum's own timer is monotonic, too. */
  let nextProbe: Wait | undefined;
  const nextProbeIfOpen = () => (current.state === 'open' ? nextProbe : undefined);
  /** The reason of a transition that is not opossum's own. Its event comes before open() or close() returns. */
  let cause: string | undefined;
  const change = (to: 'open' | 'close', reason: string) => {
    cause = reason;
    breaker[to]();
    cause = undefined;
  };

  breaker.on('open', () => {
    const { calls, failures } = window.counts();
    const reason =
      current.state === 'half_open' ? 'the probe failed' : `${failures} of ${calls} calls failed`;
    nextProbe = startWait(resetTimeout);
    enter('open', cause ?? reason);
  });
  /** What has come of the check and of the payment, one of which is the probe of a half-open circuit. */
  let saidNothing = { check: false, payment: false };
  const openIfBothSaidNothing = () => {
    if (saidNothing.check && saidNothing.payment) change('open', 'the probe said nothing about the provider');
  };
  breaker.on('halfOpen', () => {
    saidNothing = { check: false, payment: false };
    enter('half_open', `open for ${resetTimeout} ms`);
    void probe();
  });
  breaker.on('close', () => {
    window.clear(); // opossum keeps it, and one more failure would open the circuit again
    enter('closed', cause ?? 'the probe succeeded');
  });

  async function probe(): Promise<void> {
    const { generation } = current;
    const health = await check();
    if (generation !== current.generation) return; // a payment was the probe, or the circuit was closed by hand
    if (health.status === 'healthy') return change('close', 'the background check succeeded');
    if (health.status === 'unhealthy') return change('open', reasonOfCheck('the background check', health));
    recordCheck(reasonOfCheck('the background check', health));
    saidNothing.check = true;
    openIfBothSaidNothing();
  }

  return {
    get state() {
      return current.state;
    },
    get generation() {
      return current.generation;
    },
    open: (reason) => change('open', reason),
    probeSaidNothing(generation) {
      if (current.state !== 'half_open' || generation !== current.generation) return;
      saidNothing.payment = true;
      openIfBothSaidNothing();
    },
    async recover() {
      const health = await check();
      if (health.status === 'unhealthy' || health.account_refused) {
        if (current.state !== 'closed') recordCheck(reasonOfCheck('the check by hand', health));
        return false;
      }
      if (breaker.isShutdown) return false; // close() would start it again
      window.clear();
      ignoreCallsUnderWay();
      change('close', 'closed by hand');
      return true;
    },
    report() {
      const { state, since, reason, last_check } = current;
      const next_probe_at = nextProbeIfOpen()?.wallTime() ?? null;
      return { state, since, reason, last_check, next_probe_at };
    },
    nextProbeInMs: () => nextProbeIfOpen()?.remainingMs() ?? 0,
    shutdown() {
      ignoreCallsUnderWay(); // their results, and that of a check, would take opossum out of its shutdown
      breaker.shutdown();
    },
  };
}

const refusal = 'account_refused: ';
/** Why a circuit is open whose provider refuses the account. */
export const accountRefused = (reason: string | null) => `${refusal}${reason}`;
export const isAccountRefused = (reason: string) => reason.startsWith(refusal);

const reasonOfCheck = (check: string, { status, reason, account_refused }: UpstreamHealth) => {
  if (account_refused) return accountRefused(reason);
  return status === 'unhealthy' ? `${check} failed: ${reason}` : `${check} could not tell: ${reason}`;
};

function createStateRecord(run: FailureRun, { provider, onChange, log }: Omit<CircuitStateOptions, 'check'>) {
  const now = () => new Date().toISOString();
  const current = {
    state: 'closed' as CircuitState,
    since: now(),
    reason: 'start',
    last_check: null as CircuitReport['last_check'],
    generation: 0,
  };
  const ignoreCallsUnderWay = () => {
    current.generation += 1;
    run.end();
  };
  /** Only a refused account replaces the reason of an opening, because a person has to act on it; an outage does not replace it. */
  const recordCheck = (reason: string) => {
    current.last_check = { at: now(), reason };
    if (isAccountRefused(reason)) current.reason = reason;
  };
  const enter = (state: CircuitState, reason: string) => {
    const previous = current.state;
    current.state = state;
    if (previous === 'closed' || state === 'closed')
      Object.assign(current, { since: now(), reason, last_check: null });
    else if (state === 'open') recordCheck(reason);
    ignoreCallsUnderWay();
    // opossum calls listeners in the middle of counting: an error of one would make it count a failure, and send again.
    try {
      onChange?.(state, reason);
      log[state === 'open' ? 'warn' : 'info'](
        { provider, circuit: state, previous, reason },
        'circuit changed',
      );
    } catch {
      // A failing log must not cost an SMS.
    }
  };
  return { current, enter, recordCheck, ignoreCallsUnderWay };
}
