import type { FastifyBaseLogger } from 'fastify';
import { afterFailure, afterResume, type Circuit, closedCircuit } from './circuit.ts';
import type { Try } from './endpoint.ts';

export interface EndpointReport {
  /** `open`: it fails, and is asked by one probe at a time; `stopped`: it answered 410, and is asked no more. */
  state: 'closed' | 'open' | 'stopped';
  /** Why it is not closed; null if it is. */
  reason: string | null;
}

/** What this process has learned of the webhook endpoint, and logs once when it changes. */
export interface EndpointState {
  /** How many tries may begin now, given the limit and how many places are taken. */
  places(limit: number, taken: number): number;
  /** Whether a try that begins now is a probe. */
  isProbing(): boolean;
  learn(ended: Try, isProbe: boolean): void;
  /** Has deliveries go on after a 410, or a probe begin soon. Changes nothing while the endpoint takes deliveries. */
  resume(): void;
  report(): EndpointReport;
}

export function createEndpointState(
  host: string,
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>,
): EndpointState {
  let circuit = closedCircuit;
  let isStopped = false;

  function change(next: Circuit): void {
    const before = circuit;
    circuit = next;
    if (next.state === before.state) return;
    if (next.state === 'open')
      log.warn(
        { host, reason: next.reason },
        'the webhook endpoint fails; until it takes a delivery it gets one at a time',
      );
    else log.info({ host }, 'the webhook endpoint takes deliveries again');
  }

  function stop(): void {
    if (!isStopped)
      log.error(
        { host, reason: 'http_410' },
        'the webhook endpoint wants no more deliveries; this process sends none until it is started again or an event is replayed: correct WEBHOOK_URL, or have the endpoint answer',
      );
    isStopped = true;
  }

  return {
    places(limit, taken) {
      if (isStopped) return 0;
      if (circuit.state === 'closed') return limit - taken;
      return taken === 0 && performance.now() >= circuit.probeAt ? 1 : 0;
    },
    isProbing: () => circuit.state === 'open',
    learn(ended, isProbe) {
      if (ended.result === 'gone') stop();
      else if (ended.result === 'taken') change(closedCircuit);
      else change(afterFailure(circuit, ended, { at: performance.now(), isProbe }));
    },
    resume() {
      circuit = isStopped ? closedCircuit : afterResume(circuit, performance.now());
      isStopped = false;
    },
    report() {
      if (isStopped) return { state: 'stopped', reason: 'http_410' };
      return { state: circuit.state, reason: circuit.state === 'open' ? circuit.reason : null };
    },
  };
}
