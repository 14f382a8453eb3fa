import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PaymentView } from '../payment-service/src/domain/payment-view.ts';
import { eventually } from './eventually.ts';
import { type Answer, call } from './http.ts';
import { type ServiceName, serviceNames } from './trio.ts';
import { ask, docker, logsOf, type Replicas, startContainer, startReplicas } from './trio-of-containers.ts';

let replicas: Replicas;
beforeAll(async () => {
  replicas = await startReplicas(
    { 'payment-service': 3, 'aldeamo-service': 2, 'twilio-service': 2 },
    { NOTIFICATION_RETRY_BASE_MS: '500', NOTIFICATION_LEASE_MS: '7000' },
  );
});
afterAll(() => replicas[Symbol.asyncDispose]());

const pay = (customer_id: string, key: string = randomUUID()) =>
  call<PaymentView>(
    'POST',
    `${replicas.url}/payments`,
    { amount: 100, customer_id, message: 'Un pago de varios', phone: '+573001234567' },
    { 'idempotency-key': key },
  );

/** Reads all pages of the list. */
async function paymentsOf(customer_id: string): Promise<PaymentView[]> {
  const all: PaymentView[] = [];
  for (let more = true; more; ) {
    const after = all.length > 0 ? `&starting_after=${all.at(-1)?.payment_id}` : '';
    const { body } = await call<{ data: PaymentView[]; has_more: boolean }>(
      'GET',
      `${replicas.url}/payments?limit=100&customer_id=${customer_id}${after}`,
    );
    all.push(...body.data);
    more = body.has_more;
  }
  return all;
}

const untilSent = (customer_id: string) =>
  eventually(
    () => paymentsOf(customer_id),
    (payments) => payments.every(({ notification_status }) => notification_status === 'sent'),
    30_000,
  );

const handledBy = async (replica: string) =>
  (await logsOf(replica)).filter(({ msg }) => msg === 'notification handled').length;

/** Counts the SMS that the sandboxes of all replicas have accepted. */
async function messagesTo(customer_id: string): Promise<number> {
  const ledgers = await Promise.all(
    [...replicas.of('aldeamo-service'), ...replicas.of('twilio-service')].map((replica) =>
      ask(replica, `/sandbox/messages?customer_id=${customer_id}`),
    ),
  );
  return ledgers.flatMap((ledger) => JSON.parse(ledger).data).length;
}

const idsOf = (payments: PaymentView[]) => payments.map(({ payment_id }) => payment_id).sort();

/** Eight clients pay before, during and after the disturbance, and repeat a refused payment with its key. */
async function payDuring(customer_id: string, disturb: (refusals: Answer<unknown>[]) => Promise<unknown>) {
  const paid: PaymentView[] = [];
  const refusals: Answer<unknown>[] = [];
  let over = false;
  const clients = Array.from({ length: 8 }, async () => {
    while (!over) {
      const key = randomUUID();
      const accepted = await eventually(
        () => pay(customer_id, key),
        (answer) => {
          if (answer.status !== 201) refusals.push(answer);
          return answer.status === 201;
        },
        30_000,
      );
      paid.push(accepted.body);
    }
  });
  await disturb(refusals);
  const enough = paid.length + 50;
  await eventually(
    async () => paid.length,
    (count) => count >= enough,
    30_000,
  );
  over = true;
  await Promise.all(clients);
  return { paid, refusals };
}

test('all replicas accept payments, and each one notifies some', async () => {
  // Not in one burst, because nginx tries the replicas in the same order for all requests that wait for one DNS answer.
  const { paid, refusals } = await payDuring('everybody', async () => {});

  expect(refusals).toEqual([]);
  expect(idsOf(await untilSent('everybody'))).toEqual(idsOf(paid));
  for (const replica of replicas.of('payment-service')) expect(await handledBy(replica)).toBeGreaterThan(0);
  expect(await messagesTo('everybody')).toBe(paid.length);
});

test('given 20 concurrent POSTs with one Idempotency-Key, POST /payments makes one payment and one SMS', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => pay('once', 'one')));

  expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(1);
  for (const { status, headers } of answers.filter(({ status }) => status !== 201))
    expect([status, headers.get('retry-after')]).toEqual([409, '1']);
  expect(await untilSent('once')).toHaveLength(1);
  expect(await messagesTo('once')).toBe(1);
});

test('GET /live/events sends its first event at once', async () => {
  const { headers, body } = await fetch(`${replicas.url}/live/events`, {
    signal: AbortSignal.timeout(10_000),
  });
  expect(headers.get('content-type')).toMatch('text/event-stream');
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toMatch(/^data: \{/);
  await reader.cancel();
});

test('given a killed replica, the others accept the payments, and it serves again after its restart', async () => {
  const [replica] = replicas.of('payment-service') as [string];
  const { paid, refusals } = await payDuring('killed', () => docker('kill', replica));

  for (const { status } of refusals) expect(status).toBeOneOf([409, 504]);
  expect(idsOf(await untilSent('killed'))).toEqual(idsOf(paid));

  const before = await handledBy(replica);
  await startContainer(replica);
  const payAndCount = async () => {
    await pay('back');
    return handledBy(replica);
  };
  await eventually(payAndCount, (handled) => handled > before, 20_000, 250);
});

test('given a restart of PostgreSQL, POST /payments returns 503, and no accepted payment is lost', async () => {
  const { paid, refusals } = await payDuring('restart', async (refusals) => {
    await docker('stop', replicas.postgres);
    await eventually(
      async () => refusals.some(({ status }) => status === 503),
      (refused) => refused,
      10_000,
    );
    await docker('start', replicas.postgres);
  });

  for (const { status, headers, body } of refusals.filter(({ status }) => status === 503)) {
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    // The second where PostgreSQL has stopped between the payment and its outcome.
    expect(body).toMatchObject({
      type: expect.stringMatching(/^\/problems\/(store-unavailable|outcome-not-recorded)$/),
    });
  }
  expect(idsOf(await untilSent('restart'))).toEqual(idsOf(paid));
  const services = serviceNames.flatMap((service) => replicas.of(service));
  const restarts = await docker('inspect', '--format', '{{.RestartCount}}', ...services);
  expect(new Set(restarts.split('\n'))).toEqual(new Set(['0']));
});

/** In ms; a payment that takes longer counts as one that met a hung replica. */
const slowMs = 2000;

/** Eight clients pay during the disturbance, and give up after 2 s. Returns how many did. */
async function countSlowDuring(customer_id: string, disturbed: Promise<unknown>) {
  const counts = { paid: 0, slow: 0 };
  let over = false;
  void disturbed.finally(() => {
    over = true;
  });
  const payOnce = () =>
    fetch(`${replicas.url}/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      body: JSON.stringify({ amount: 100, customer_id, message: 'Un pago', phone: '+573001234567' }),
      signal: AbortSignal.timeout(slowMs),
    });
  const clients = Array.from({ length: 8 }, async () => {
    while (!over) {
      const status = await payOnce().then(
        ({ status }) => status,
        (error: Error) => error.name,
      );
      if (status === 'TimeoutError') counts.slow += 1;
      // 504 for the one payment of a connection that the end of a process has cut.
      else expect(status).toBeOneOf([201, 504]);
      if (status === 201) counts.paid += 1;
    }
  });
  await Promise.all([disturbed, ...clients]);
  return counts;
}

test('given a paused replica, nginx leaves it alone after a handful of payments', async () => {
  const [replica] = replicas.of('payment-service') as [string];
  await docker('pause', replica);
  const { paid, slow } = await countSlowDuring('paused', delay(9000));
  await docker('unpause', replica);

  expect(slow).toBeLessThanOrEqual(8);
  expect(paid).toBeGreaterThan(10 * slow);
  await untilSent('paused');
});

/** Makes the event loop of a container's service hang, by a debugger that has left when it does. */
const hang = (replica: string) =>
  docker(
    'exec',
    replica,
    'node',
    '--eval',
    `const { readdirSync, readFileSync } = require('node:fs');
     const isService = (pid) => /^node.src.main/.test(readFileSync('/proc/' + pid + '/cmdline', 'utf8'));
     process.kill(readdirSync('/proc').filter(Number).find(isService), 'SIGUSR1');
     setTimeout(async () => {
       const [{ webSocketDebuggerUrl }] = await (await fetch('http://127.0.0.1:9229/json')).json();
       const socket = new WebSocket(webSocketDebuggerUrl);
       socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: {
         expression: "setTimeout(() => process.getBuiltinModule('inspector').close(), 500);" +
           "setTimeout(() => { for (;;); }, 2500);" } }));
       socket.onmessage = () => process.exit();
     }, 1000);`,
  );

test('given a replica whose event loop hangs, it ends and is restarted, and few payments wait for it', async () => {
  const [, replica] = replicas.of('payment-service') as [string, string];
  const restarts = () => docker('inspect', '--format', '{{.RestartCount}}', replica);
  const before = Number(await restarts());
  await hang(replica);
  const restarted = eventually(restarts, (count) => Number(count) > before, 25_000, 250);
  const { paid, slow } = await countSlowDuring('hung', restarted);

  expect(slow).toBeLessThanOrEqual(8);
  expect(paid).toBeGreaterThan(10 * slow);
  expect((await logsOf(replica)).find(({ level }) => level === 60)).toMatchObject({
    msg: 'the event loop has hung for 7.8 s; the process is killed',
  });
  const sent = await untilSent('hung');
  expect(await messagesTo('hung')).toBe(sent.length);
});

test.each([
  ['status'],
  ['inbound'],
])("nginx forwards Twilio's callbacks to %s to twilio-service", async (webhook) => {
  const before = await unknownRoutes('twilio-service');
  const { status } = await call('POST', `${replicas.url}/webhooks/twilio/${webhook}`, {});
  expect(status).toBe(404); // a sandbox has no such route
  expect(await unknownRoutes('twilio-service')).toBe(before + 1);
});

/** The number of POST requests to routes that no replica of the service has. */
async function unknownRoutes(service: ServiceName): Promise<number> {
  const counts = await Promise.all(
    replicas.of(service).map(async (replica) => {
      const metrics = await ask(replica, '/metrics');
      const [, count] =
        /^http_request_duration_seconds_count\{method="POST",route="none",status_code="404"\} (\d+)$/m.exec(
          metrics,
        ) ?? [];
      return Number(count ?? 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

test("nginx's own errors are problem documents", async () => {
  const expectProblem = async (answer: Promise<Answer<unknown>>, status: number, name: string) => {
    const { headers, body } = await answer;
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toMatchObject({ type: `/problems/${name}`, status, detail: expect.any(String) });
    return headers;
  };
  await expectProblem(call('GET', `${replicas.url}/metrics`), 404, 'not-found');
  await expectProblem(
    call('GET', replicas.url, undefined, { filler: 'x'.repeat(40_000) }),
    431,
    'headers-too-large',
  );
  await expectProblem(
    call('POST', `${replicas.url}/payments`, { message: 'x'.repeat(65_536) }),
    413,
    'body-too-large',
  );

  await docker('kill', ...replicas.of('payment-service'));
  const headers = await expectProblem(pay('refused'), 503, 'unavailable');
  expect(headers.get('retry-after')).toBe('1');
  await Promise.all(replicas.of('payment-service').map(startContainer));
  expect((await pay('accepted')).status).toBe(201);
});
