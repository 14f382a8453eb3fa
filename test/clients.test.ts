import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { blocksOf, isMissing, readPage, runStep, type Step } from './pages.ts';

/** The programs of README.md and docs/clients.md against a service that refuses: a payment is repeated with its key. */

const programsOf = async (path: string): Promise<[language: string, program: Step][]> =>
  (await readPage(path)).steps
    .filter(({ language }) => language !== 'sh')
    .map((program) => [program.language, program]);
const payment = { payment_id: 'pmt_1', notification_status: 'sent', notification_service: 'Aldeamo' };

type Answer = number | 'cut' | 'cut body';

/** Answers the requests with these in turn, then with 201. A cut connection has no response. */
async function startService(answers: Answer[]) {
  const requests: { key: unknown; body: unknown }[] = [];
  const respond = async (request: IncomingMessage) => {
    requests.push({ key: request.headers['idempotency-key'], body: JSON.parse(await text(request)) });
    return answers[requests.length - 1] ?? 201;
  };
  const server = createServer(async (request, response) => {
    const answer = await respond(request);
    if (answer === 'cut') request.socket.destroy();
    else if (answer === 'cut body') {
      response.writeHead(201, { 'Content-Length': 100 });
      response.write('{"payment_id":', () => request.socket.destroy());
    } else {
      response.writeHead(answer, { 'Content-Type': 'application/json', 'Retry-After': 0 });
      response.end(JSON.stringify(answer === 201 ? payment : { status: answer, detail: 'refused' }));
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { requests, ports: { 8000: (server.address() as AddressInfo).port } };
}

for (const [language, program] of await programsOf('README.md')) {
  test.skipIf(isMissing(program))(
    `given 503, the ${language} program of README.md repeats the payment with its key`,
    () => expectRepetitions(program, [503]),
  );
}

for (const [language, program] of await programsOf('docs/clients.md')) {
  test.skipIf(isMissing(program))(
    `given lost responses and refusals, the ${language} program of docs/clients.md repeats the payment with its key`,
    () => expectRepetitions(program, ['cut', 'cut body', 409, 429, 502, 503, 504]),
  );

  test.skipIf(isMissing(program))(
    `given 400, the ${language} program of docs/clients.md fails at once, and names the problem`,
    async () => {
      const { requests, ports } = await startService([400]);
      await expect(runStep(program, ports)).rejects.toThrow('400: {"status":400,"detail":"refused"}');
      expect(requests).toHaveLength(1);
    },
  );
}

async function expectRepetitions(program: Step, answers: Answer[]): Promise<void> {
  const { requests, ports } = await startService(answers);
  await runStep(program, ports);
  const first = { key: expect.stringMatching(/^order-/), body: requests[0]?.body };
  expect(requests).toEqual(Array(answers.length + 1).fill(first));
  expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
}

const event = { type: 'payment.notification.sent', data: { payment_id: 'pmt_1' } };

/** Answers GET /events with these in turn: pages of one event, or a status. */
async function startFeed(answers: ({ cursor: string; has_more: boolean } | number)[]) {
  const asked: (string | null)[] = [];
  const server = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://x').searchParams.get('after'));
    const answer = answers[asked.length - 1] ?? 500;
    if (typeof answer === 'number') response.writeHead(answer).end('refused');
    else response.end(JSON.stringify({ data: [{ ...event, id: `evt_${asked.length}` }], ...answer }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const folder = await mkdtemp(join(tmpdir(), 'feed-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { markdown } = await readPage('docs/clients.md');
  const text =
    blocksOf(markdown).find(({ language, isExample }) => isExample && language === 'js')?.text ?? '';
  const ports = { 8000: (server.address() as AddressInfo).port };
  const run = async () => {
    let printed = '';
    const compare = (output: string) => {
      printed = output;
    };
    await runStep({ language: 'js', text, compare }, ports, { cwd: folder });
    return printed;
  };
  return { asked, run, cursor: join(folder, 'cursor') };
}

test('the reader of docs/clients.md goes on from its cursor until there is no more, and stores the last one', async () => {
  const pages = [
    { cursor: 'a', has_more: true },
    { cursor: 'b', has_more: false },
    { cursor: 'c', has_more: false },
  ];
  const { asked, run, cursor } = await startFeed(pages);
  expect(await run()).toBe('payment.notification.sent pmt_1\n'.repeat(2));
  expect(await run()).toBe('payment.notification.sent pmt_1\n');
  expect([asked, await readFile(cursor, 'utf8')]).toEqual([[null, 'a', 'b'], 'c']);
});

test('the reader of docs/clients.md begins again after a 410, and given another refusal, fails with its cursor unchanged', async () => {
  const { asked, run, cursor } = await startFeed([410, { cursor: 'b', has_more: false }, 503]);
  await writeFile(cursor, 'a');
  await run();
  await expect(run()).rejects.toThrow('503: refused');
  expect([asked, await readFile(cursor, 'utf8')]).toEqual([['a', null, 'b'], 'b']);
});
