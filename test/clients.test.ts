import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { readPage, runStep, type Step } from './pages.ts';

/** The programs of README.md and docs/clients.md against a service that refuses: a payment is repeated with its key. */

const programsOf = async (path: string): Promise<[language: string, program: Step][]> =>
  (await readPage(path)).steps
    .filter(({ language }) => language !== 'sh')
    .map((program) => [program.language, program]);
const hasPython = spawnSync('python3', ['--version']).status === 0;
const isMissing = (language: string) => language === 'python' && !hasPython;
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
  test.skipIf(isMissing(language))(
    `given 503, the ${language} program of README.md repeats the payment with its key`,
    () => expectRepetitions(program, [503]),
  );
}

for (const [language, program] of await programsOf('docs/clients.md')) {
  test.skipIf(isMissing(language))(
    `given lost responses and refusals, the ${language} program of docs/clients.md repeats the payment with its key`,
    () => expectRepetitions(program, ['cut', 'cut body', 409, 429, 502, 503, 504]),
  );

  test.skipIf(isMissing(language))(
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
