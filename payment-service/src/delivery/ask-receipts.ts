import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import type { Provider, Receipt } from 'service-kit/contract/notification.ts';
import { Problem } from 'service-kit/http/problem.ts';
import { mayAsk, scheduleNextAsk } from '../domain/asks.ts';
import { attemptKey } from '../domain/attempts.ts';
import { isUnderWay } from '../domain/deliveries.ts';
import type { Payment, PaymentObserver } from '../domain/payment.ts';
import type { FoundMessage } from '../providers/provider-answer.ts';
import type { ProviderClient } from '../providers/provider-client.ts';
import { LeaseLost, type Store } from '../store/store.ts';
import type { RecordReceipt } from './apply-receipt.ts';

/** Asks the providers what became of the SMS for which no receipt came in time, and records the answers as receipts. */
export interface ReceiptAsks {
  /** Ends asking; resolves when the answers of the asks under way are recorded. */
  stop(): Promise<void>;
}

export interface ReceiptAsksOptions {
  store: Pick<Store, 'claimAsks' | 'amend'>;
  clients: Record<Provider, Pick<ProviderClient, 'findMessage'>>;
  recordReceipt: RecordReceipt;
  receiptTimeoutMs: number;
  onChange: PaymentObserver;
  log: FastifyBaseLogger;
}

/** Asks under way at the same time: few, because no customer waits for one. */
const concurrency = 16;
const tickMs = 100;
/** The pause after a claim that found nothing. */
const idleMs = 500;
/** The pause while the store is unavailable. */
const afterFailureMs = 5000;

export function startReceiptAsks(options: ReceiptAsksOptions): ReceiptAsks {
  const { store, clients, recordReceipt, receiptTimeoutMs, onChange, log } = options;
  /** The providers that refuse to be asked, until this process ends. */
  const forbidden = new Set<Provider>();
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  const pause = (ms: number) => delay(ms, undefined, { signal: stopping.signal }).catch(() => {});

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) await pause(await claimDue());
    await Promise.all(underWay);
  }

  /** Claims as many as there is room for. Returns the pause before the next claim, in ms. */
  async function claimDue(): Promise<number> {
    const room = concurrency - underWay.size;
    if (room <= 0) return tickMs;
    try {
      const claimed = await store.claimAsks(room);
      for (const payment of claimed) {
        const turn = ask(payment).catch(logFailure);
        underWay.add(turn);
        void turn.finally(() => underWay.delete(turn));
      }
      return claimed.length > 0 ? tickMs : idleMs;
    } catch (error) {
      logFailure(error);
      return afterFailureMs;
    }
  }

  /** What is not recorded is claimed again when the lease of the ask has expired. */
  async function ask(payment: Payment): Promise<void> {
    const index = payment.attempts.findLastIndex(isUnderWay);
    const { provider, message_id } = payment.attempts[index] ?? {};
    const mayBeAsked = provider && message_id && mayAsk(payment) && !forbidden.has(provider);
    const found = mayBeAsked ? await clients[provider].findMessage(message_id) : 'unavailable';
    if (provider && found === 'forbidden') forbid(provider);
    const receipt = receiptOf(found, attemptKey(payment, index));
    if (receipt) return recordReceipt(receipt, log);
    const next = scheduleNextAsk(payment, answerOf(found), receiptTimeoutMs);
    await store.amend(next, payment);
    onChange(next, payment);
  }

  function forbid(provider: Provider): void {
    if (forbidden.has(provider)) return;
    forbidden.add(provider);
    log.warn({ provider }, 'the provider refuses to be asked for receipts; it is asked no more');
  }

  function logFailure(err: unknown): void {
    const isInUse = err instanceof LeaseLost || (err instanceof Problem && err.status === 409);
    if (!isInUse) log.error({ err }, 'asking for receipts failed');
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/**
 * Undefined without an answer, or if the provider does not know yet. A time of the future is left out: it would be refused, and
 * the next answer would have it again.
 */
function receiptOf(found: FoundMessage, idempotency_key: string): Receipt | undefined {
  if (typeof found !== 'object' || found.status === null) return undefined;
  const { at, status, ...report } = found;
  const isPast = at !== undefined && Date.parse(at) <= Date.now();
  return { ...report, status, idempotency_key, ...(isPast && { at }) };
}

function answerOf(found: FoundMessage): 'none' | 'unknown' | 'last' {
  if (found === 'unanswered') return 'none';
  return typeof found === 'object' ? 'unknown' : 'last';
}
