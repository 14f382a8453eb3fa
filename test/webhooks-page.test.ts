import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, test } from 'vitest';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';
import { blocksOf, readPage } from './pages.ts';

/** The receiver of docs/webhooks.md, against what the reference library of Standard Webhooks signs. */

const secret = `whsec_${Buffer.alloc(32, 'page').toString('base64')}`;
const event = { type: 'payment.notification.sent', timestamp: '…', data: { payment_id: 'pmt_1' } };
const body = JSON.stringify(event);
const sign = (id: string, at = new Date(), signedBody = body) => new Webhook(secret).sign(id, at, signedBody);

async function startReceiver() {
  const { markdown } = await readPage('docs/webhooks.md');
  const program = blocksOf(markdown).find(({ language }) => language === 'js')?.text ?? '';
  const [port = 0] = await freePorts(1);
  const child = spawn(process.execPath, ['--input-type=module', '-'], {
    env: { ...process.env, WEBHOOK_SECRET: secret },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await once(child, 'close');
  });
  child.stdin.end(program.replace('9000', String(port)));
  const printed: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => printed.push(line));
  const post = async (id: string, signature: string, at = new Date()) => {
    const response = await fetch(`http://127.0.0.1:${port}/payments`, {
      method: 'POST',
      headers: {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': signature,
      },
      body,
    });
    return response.status;
  };
  const isListening = () =>
    post('evt_0', '').then(
      () => true,
      () => false,
    );
  await eventually(isListening, (is) => is, 10_000);
  return { post, printed };
}

test('the receiver of docs/webhooks.md accepts a signed event, prints it once, and finds its secret among two', async () => {
  const { post, printed } = await startReceiver();
  expect(await post('evt_1', sign('evt_1'))).toBe(204);
  expect(await post('evt_1', sign('evt_1'))).toBe(204);
  const ofAnother = new Webhook(`whsec_${Buffer.alloc(32, 'other').toString('base64')}`);
  expect(await post('evt_2', `${ofAnother.sign('evt_2', new Date(), body)} ${sign('evt_2')}`)).toBe(204);
  expect(
    await eventually(
      async () => printed,
      ({ length }) => length === 2,
      5000,
    ),
  ).toEqual(['payment.notification.sent pmt_1', 'payment.notification.sent pmt_1']);
});

test('the receiver of docs/webhooks.md refuses a signature of another body, event, secret or version, and an old one', async () => {
  const { post, printed } = await startReceiver();
  const early = new Date(Date.now() - 301_000);
  const ofAnother = new Webhook(`whsec_${Buffer.alloc(32, 'other').toString('base64')}`);
  const statuses = [
    await post('evt_1', sign('evt_1', new Date(), '{}')),
    await post('evt_1', sign('evt_2')),
    await post('evt_1', ofAnother.sign('evt_1', new Date(), body)),
    await post('evt_1', sign('evt_1').replace('v1,', 'v2,')),
    await post('evt_1', sign('evt_1').slice(0, -1)),
    await post('evt_1', ''),
    await post('evt_1', sign('evt_1', early), early),
  ];
  expect(statuses).toEqual(Array(7).fill(401));
  expect(printed).toEqual([]);
});
