import { setTimeout as sleep } from 'node:timers/promises';
import { openPage } from './open-page.ts';
import type { Settings } from './settings.ts';

export interface DemoOptions {
  settings: Settings;
  say: (text: string) => void;
  /** Ends the demo. */
  signal: AbortSignal;
}

/** In ms: after each payment, to read what is announced, and until the demo closes the circuit by itself. */
interface Pace {
  paymentMs: number;
  readMs: number;
  patienceMs: number;
}

const unhurried: Pace = { paymentMs: 1500, readMs: 5000, patienceMs: 30_000 };

/** More payments than a circuit should take to open. */
const most = 20;

/** Shows a failover on the running sandboxes, in about a minute, and leaves them as they were. */
export async function showFailover(options: DemoOptions, pace = unhurried): Promise<void> {
  const { settings, say, signal } = options;
  const [payment = '', aldeamo = ''] = settings.plans.map(({ url }) => url);
  const actions = createActions(payment, aldeamo, signal);
  say(`  The demo begins. Watch it on the page, too: ${payment}\n\n`);
  openPage(payment);
  try {
    const before = await actions.failureRate();
    try {
      await play(actions, options, pace);
    } finally {
      if (!signal.aborted) await actions.setFailureRate(before);
    }
    say(
      `  The services go on running: break and mend the providers on the page, or send payments as above.\n\n`,
    );
  } catch (error) {
    if (!signal.aborted) say(`  The demo ends early: ${(error as Error).message}\n\n`);
  }
}

async function play(
  { pay, circuit, setFailureRate, recover }: Actions,
  { settings, say, signal }: DemoOptions,
  pace: Pace,
): Promise<void> {
  const handled: string[] = [];
  const payOnce = async () => {
    handled.push(await pay());
    await sleep(pace.paymentMs, undefined, { signal });
  };
  const payTimes = async (times: number) => {
    for (let time = 0; time < times; time += 1) await payOnce();
  };
  const announce = async (text: string) => {
    say(`  ${text}\n`);
    await sleep(pace.readMs, undefined, { signal });
  };

  await setFailureRate(0);
  await announce('1. Aldeamo is healthy: it sends the SMS of each payment.');
  await payTimes(3);

  await setFailureRate(1);
  await announce(
    '2. Aldeamo breaks now: it refuses every SMS. Twilio sends it instead; the payment succeeds.',
  );
  for (let time = 0; (await circuit()) === 'closed'; time += 1) {
    if (time === most) throw new Error(`the circuit has not opened after ${most} payments`);
    await payOnce();
  }
  await announce('   The circuit is open: Aldeamo is not called any more, and Twilio sends at once.');
  await payTimes(3);

  await setFailureRate(0);
  const seconds = Math.ceil(settings.payment.CIRCUIT_RESET_TIMEOUT_MS / 1000);
  await announce(`3. Aldeamo has recovered. A check in the background finds that out within ${seconds} s.`);
  const until = performance.now() + pace.patienceMs;
  while ((await circuit()) !== 'closed' && performance.now() < until) await payOnce();
  if ((await circuit()) !== 'closed') await recover(); // a long CIRCUIT_RESET_TIMEOUT_MS

  await announce('4. The circuit is closed: Aldeamo sends again.');
  await payTimes(3);
  say(`\n  ${summarize(handled)}\n`);
}

function summarize(handled: string[]): string {
  const counts = Object.entries(Object.groupBy(handled, (by) => by)).map(
    ([by, payments]) => `${payments?.length} ${by}`,
  );
  return `The demo made ${handled.length} payments, and this became of their SMS: ${counts.join(', ')}.`;
}

type Actions = ReturnType<typeof createActions>;

/** What the demo does through the API. Without keep-alive, because an idle connection would delay a stop. */
function createActions(payment: string, aldeamo: string, signal: AbortSignal) {
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
    /** Returns what became of the SMS. */
    async pay(): Promise<string> {
      amount += 10_000;
      const { notification_service, notification_status } = await call<Record<string, string | null>>(
        'POST',
        `${payment}/payments`,
        { amount, customer_id: 'demo' },
      );
      return notification_service
        ? `${notification_status} by ${notification_service}`
        : `${notification_status}`;
    },
    circuit: async () =>
      (await call<{ circuit_breaker: { state: string } }>('GET', `${payment}/health`)).circuit_breaker.state,
    failureRate: async () => (await call<{ failure_rate: number }>('GET', `${aldeamo}/sandbox`)).failure_rate,
    setFailureRate: (rate: number) => call('POST', `${aldeamo}/toggle-failure?failure_rate=${rate}`),
    recover: () => call('POST', `${payment}/force-recovery`),
  };
}
