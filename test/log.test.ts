import { constants, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { call } from './http.ts';
import { type OneService, startOneService } from './one-service.ts';
import { parseLog, serviceNames } from './trio.ts';

test.each(
  serviceNames,
)('given a full disk behind its log, %s answers, counts the lost lines and exits with 0', async (name) => {
  const service = await startOneService(name, { stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'] });

  expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
  await eventually(
    () => lostLines(service), // a batch later
    (lost) => lost > 0,
    5000,
  );
  service.child.kill('SIGTERM');
  expect(await service.ended).toEqual([0, null]);
});

test.each(serviceNames)('given no reader of its log, an idle %s exits with 0', async (name) => {
  const service = await startOneService(name);
  service.child.stdout?.destroy();
  service.child.stderr?.destroy();

  service.child.kill('SIGTERM');
  expect(await service.ended).toEqual([0, null]);
});

test('given a reader that stalls, answers each request with bounded memory, and reports the gap once it reads on', async () => {
  const service = await startSandbox();
  const before = await residentMb(service);
  const sent = await fillLog(service);
  expect((await residentMb(service)) - before).toBeLessThan(150);

  const lines: string[] = [];
  createInterface(service.child.stdout as NodeJS.ReadableStream).on('line', (line) => lines.push(line));
  await notify(service, { 'x-request-id': 'the-last' });
  await eventually(
    async () => lines,
    (read) => read.some((line) => line.includes('the-last')),
    10_000,
  );

  const log = parseLog(lines.join('\n'));
  const notices = log.filter(({ msg }) => msg === 'log lines were lost');
  expect(notices).toEqual([expect.objectContaining({ level: 40, lost_lines: await lostLines(service) })]);
  const answered = log.filter(({ msg }) => msg === 'notification answered').length;
  expect(answered + Number(notices[0]?.lost_lines)).toBe(sent + 1);
});

test('given a reader that stalls, after another process on the same output has let it block again, exits with 0', async () => {
  // Node.js gives the output back at its exit as it found it. This one ends once the service is ready.
  const url = '"http://127.0.0.1:" + process.env.PORT + "/health/ready"';
  const neighbour = `setInterval(() => fetch(${url}).then(({ ok }) => ok && setTimeout(process.exit, 500), () => {}), 100)`;
  const service = await startOneService('aldeamo-service', {
    settings: { ALDEAMO_LATENCY_MS: '0' },
    beside: `${process.execPath} --eval '${neighbour}'`,
  });
  await eventually(
    () => readFile(`/proc/${service.child.pid}/fdinfo/1`, 'utf8'),
    (info) => (Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '', 8) & constants.O_NONBLOCK) === 0,
    10_000,
  );
  await fillLog(service);
  expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
  service.child.kill('SIGTERM');
  expect(await service.ended).toEqual([0, null]);
});

const disturb = {
  'is gone': async ({ child }: OneService) => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  },
  stalls: fillLog,
};

test.each(
  Object.entries(disturb),
)('given a reader that %s and no request, a service exits with 0', async (_what, disturbed) => {
  const service = await startSandbox();
  await disturbed(service);

  service.child.kill('SIGTERM');
  expect(await service.ended).toEqual([0, null]);
});

test.each(
  Object.entries(disturb),
)('given a reader that %s and a request under way, a second SIGTERM ends a service with 1', async (_what, disturbed) => {
  const service = await startSandbox();
  await disturbed(service);
  await leaveRequestUnderWay(service);

  service.child.kill('SIGTERM');
  // Waits for the first signal to be handled, because two pending signals of a kind are merged.
  await eventually(
    () => fetch(`${service.url}/health/ready`),
    ({ status }) => status === 503,
    10_000,
  );
  service.child.kill('SIGTERM');
  expect(await service.ended).toEqual([1, null]);
});

const startSandbox = () =>
  startOneService('aldeamo-service', {
    settings: { ALDEAMO_LATENCY_MS: '0', GATEWAY_TIMEOUT_MS: '600000' },
  });

const notify = ({ url }: OneService, headers: Record<string, string>) =>
  call('POST', `${url}/notify`, { customer_id: 'log', message: 'Pago recibido' }, headers);

/** Sends notifications until lines are lost, and returns their number. */
async function fillLog(service: OneService): Promise<number> {
  const headers = { 'x-request-id': 'x'.repeat(128) };
  let sent = 0;
  do {
    const answers = await Promise.all(Array.from({ length: 64 }, () => notify(service, headers)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    sent += answers.length;
  } while ((await lostLines(service)) === 0);
  return sent;
}

async function leaveRequestUnderWay(service: OneService): Promise<void> {
  await call('POST', `${service.url}/sandbox`, { latency_ms: 600_000 });
  const requests = async () =>
    (await call<{ requests: number }>('GET', `${service.url}/health`)).body.requests;
  const before = await requests();
  notify(service, {}).catch(() => {});
  await eventually(requests, (count) => count > before, 10_000);
}

async function lostLines({ url }: OneService): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^paysms_log_lines_lost_total (\d+)$/m.exec(metrics)?.[1]);
}

async function residentMb({ child }: OneService): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
