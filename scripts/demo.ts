import { setTimeout as sleep } from 'node:timers/promises';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { type Actions, createActions } from './demo-actions.ts';
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
    const before = await actions.faults();
    try {
      await play(actions, options, pace);
    } finally {
      if (!signal.aborted) await actions.setFaults(before);
    }
    say(
      `  The services go on running: break and mend the providers on the page, or send payments as above.\n\n`,
    );
  } catch (error) {
    if (!signal.aborted) say(`  The demo ends early: ${(error as Error).message}\n\n`);
  }
}

async function play(
  { pay, circuit, setFaults, recover, read }: Actions,
  { settings, say, signal }: DemoOptions,
  pace: Pace,
): Promise<void> {
  const paid: string[] = [];
  const payOnce = async () => {
    paid.push(await pay());
    await sleep(pace.paymentMs, undefined, { signal });
  };
  const payTimes = async (times: number) => {
    for (let time = 0; time < times; time += 1) await payOnce();
  };
  const announce = async (text: string) => {
    say(`  ${text}\n`);
    await sleep(pace.readMs, undefined, { signal });
  };
  /** The payment once nothing more is to become of its SMS, or patience has ended. */
  const readAtEnd = async (id: string) => {
    const until = performance.now() + pace.patienceMs;
    for (;;) {
      const payment = await read(id);
      if (!['pending', 'sent'].includes(payment.notification_status) || performance.now() > until)
        return payment;
      await sleep(100, undefined, { signal });
    }
  };

  await setFaults({ failure_rate: 0, undelivered_rate: 0 });
  await announce('1. Aldeamo is healthy: it accepts the SMS of each payment (✓), and delivers it (✓✓).');
  await payTimes(3);

  await setFaults({ failure_rate: 1 });
  await announce(
    '2. Aldeamo breaks now: it refuses every SMS. Twilio sends it instead; the payment succeeds.',
  );
  for (let time = 0; (await circuit()) === 'closed'; time += 1) {
    if (time === most) throw new Error(`the circuit has not opened after ${most} payments`);
    await payOnce();
  }
  await announce('   The circuit is open: Aldeamo is not called any more, and Twilio sends at once.');
  await payTimes(3);

  await setFaults({ failure_rate: 0 });
  const seconds = Math.ceil(settings.payment.CIRCUIT_RESET_TIMEOUT_MS / 1000);
  await announce(`3. Aldeamo has recovered. A check in the background finds that out within ${seconds} s.`);
  const until = performance.now() + pace.patienceMs;
  while ((await circuit()) !== 'closed' && performance.now() < until) await payOnce();
  if ((await circuit()) !== 'closed') await recover(); // a long CIRCUIT_RESET_TIMEOUT_MS

  await announce('4. The circuit is closed: Aldeamo sends again.');
  await payTimes(3);

  await setFaults({ undelivered_rate: 1 });
  await announce('5. Aldeamo accepts every SMS now, and delivers none. Twilio sends what is undelivered.');
  await payTimes(2);
  for (const id of paid.slice(-2)) say(`   ${id}  ${describeAttempts(await readAtEnd(id))}\n`);

  const ended: PaymentView[] = [];
  for (const id of paid) ended.push(await readAtEnd(id));
  say(`\n  ${summarize(ended)}\n`);
}

function describeAttempts({ notification }: PaymentView): string {
  const steps = notification.attempts.map(({ provider, outcome, reason, delivery }) => {
    if (outcome !== 'accepted') return `${provider} ${outcome}: ${reason}`;
    if (!delivery) return `${provider} ✓ accepted`;
    return delivery.status === 'delivered' ? `${provider} ✓✓ delivered` : `${provider} ✓ ${delivery.status}`;
  });
  return steps.join(', ');
}

function summarize(payments: PaymentView[]): string {
  const counts = Object.entries(
    Object.groupBy(payments, ({ notification_service: by, notification_status: status }) =>
      by ? `${status} by ${by}` : status,
    ),
  ).map(([end, ofEnd]) => `${ofEnd?.length} ${end}`);
  return `The demo made ${payments.length} payments, and this became of their SMS: ${counts.join(', ')}.`;
}
