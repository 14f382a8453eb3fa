import type { SandboxSettings } from 'service-kit/contract/sandbox-settings.ts';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';

type Faults = Partial<Pick<SandboxSettings, 'failure_rate' | 'undelivered_rate'>>;
export type Actions = ReturnType<typeof createActions>;

/** What the demo does through the API. Without keep-alive, because an idle connection would delay a stop. */
export function createActions(payment: string, aldeamo: string, signal: AbortSignal) {
  async function call<Body>(method: string, url: string, body?: unknown): Promise<Body> {
    const response = await fetch(url, {
      method,
      headers: { connection: 'close', ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal,
    });
    if (!response.ok) throw new Error(`${method} ${url} returned ${response.status}`);
    return (await response.json()) as Body;
  }
  let amount = 0;
  return {
    /** Returns the payment's id. */
    async pay(): Promise<string> {
      amount += 10_000;
      const body = { amount, customer_id: 'demo' };
      return (await call<{ payment_id: string }>('POST', `${payment}/payments`, body)).payment_id;
    },
    read: (id: string) => call<PaymentView>('GET', `${payment}/payments/${id}`),
    circuit: async () =>
      (await call<{ circuits: { Aldeamo: { state: string } } }>('GET', `${payment}/health`)).circuits.Aldeamo
        .state,
    /** Those of Aldeamo that the demo changes. */
    async faults(): Promise<Faults> {
      const { failure_rate, undelivered_rate } = await call<SandboxSettings>('GET', `${aldeamo}/sandbox`);
      return { failure_rate, undelivered_rate };
    },
    setFaults: (faults: Faults) => call('POST', `${aldeamo}/sandbox`, faults),
    recover: () => call('POST', `${payment}/force-recovery`),
  };
}
