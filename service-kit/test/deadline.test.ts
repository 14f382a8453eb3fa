import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Pool } from 'undici';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startDeadline, withDeadline } from '../src/deadline.ts';

const never = new Promise<never>(() => {});
const late = () => 'late';
const answerAfter = (ms: number) =>
  new Promise<string>((resolve) => void setTimeout(resolve, ms, 'answered'));

/** Blocks this thread, as a SIGSTOP does: time passes, and nothing runs. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe('a deadline', () => {
  afterEach(() => void vi.useRealTimers());

  test('given no pause, expires when its time is up', async () => {
    vi.useFakeTimers();
    const expire = vi.fn();
    startDeadline(3000, expire);
    await vi.advanceTimersByTimeAsync(2999);
    expect(expire).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(expire).toHaveBeenCalledTimes(1);
  });

  test('given that it is cleared, never expires and leaves no timer', async () => {
    vi.useFakeTimers();
    const expire = vi.fn();
    const [clear, clearOther] = [startDeadline(3000, expire), startDeadline(3000, expire)];
    clear();
    clear();
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    clearOther();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(3000);
    expect(expire).not.toHaveBeenCalled();
  });

  test('given that it has expired, leaves no timer', async () => {
    vi.useFakeTimers();
    startDeadline(3000, () => {});
    await vi.advanceTimersByTimeAsync(3000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** A server in a thread of its own, which runs while this one stands still. Its answer of 60 KB comes in several segments. */
async function serveElsewhere() {
  const sent = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
    const server = require('node:http').createServer((request, response) => {
      response.write('x'.repeat(30_000));
      setTimeout(() => response.end('x'.repeat(30_000), () => {
        Atomics.store(workerData, 0, 1);
        Atomics.notify(workerData, 0);
      }), 5);
    }).listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`,
    { eval: true, workerData: sent },
  );
  onTestFinished(() => void thread.terminate());
  const [port] = await once(thread, 'message');
  return { url: `http://127.0.0.1:${port}`, untilSent: () => Atomics.wait(sent, 0, 0) };
}

describe('a deadline, given a pause of the process', () => {
  test.each([60, 600, 1500])('of %i ms, lets an answer that has arrived meanwhile count', async (pauseMs) => {
    const { url, untilSent } = await serveElsewhere();
    const pool = new Pool(url);
    onTestFinished(() => pool.destroy());
    const answer = pool
      .request({ method: 'GET', path: '/' })
      .then(({ statusCode, body }) => body.text().then(({ length }) => [statusCode, length]));
    const connected = once(pool, 'connect'); // the request is written when it is emitted
    await connected;
    const result = withDeadline<unknown>(50, answer, late);
    untilSent();
    standStill(pauseMs);
    await expect(result).resolves.toEqual([200, 60_000]);
  });

  test('lets an answer count that comes a little after it, from one that was paused, too', async () => {
    const answer = Promise.withResolvers<string>();
    const result = withDeadline(50, answer.promise, late);
    standStill(600);
    void answerAfter(100).then(answer.resolve);
    await expect(result).resolves.toBe('answered');
  });

  test('that ended before it was due, is postponed nevertheless', async () => {
    const answer = Promise.withResolvers<string>();
    const result = withDeadline(450, answer.promise, late);
    standStill(400);
    void answerAfter(200).then(answer.resolve);
    await expect(result).resolves.toBe('answered');
  });

  test('of more than a second, is postponed by a second', async () => {
    const order: string[] = [];
    const result = withDeadline(50, never, () => order.push('deadline'));
    standStill(2500);
    void answerAfter(500).then(() => order.push('500 ms'));
    const end = answerAfter(1500).then(() => order.push('1500 ms'));
    await Promise.all([result, end]);
    expect(order).toEqual(['500 ms', 'deadline', '1500 ms']);
  });

  test('that ended between two nested deadlines, expires before the outer one', async () => {
    const order: string[] = [];
    const inner = withDeadline(450, never, () => order.push('inner'));
    const outer = withDeadline(520, never, () => order.push('outer'));
    standStill(500);
    await Promise.all([inner, outer]);
    expect(order).toEqual(['inner', 'outer']);
  });

  test('before it began, is not postponed', async () => {
    const earlier = withDeadline(700, never, () => {});
    standStill(600);
    const order: string[] = [];
    const result = withDeadline(50, never, () => order.push('deadline'));
    await Promise.all([result, answerAfter(300).then(() => order.push('300 ms'))]);
    expect(order).toEqual(['deadline', '300 ms']);
    await earlier;
  });
});

describe('work with a deadline', () => {
  test('that fails, rejects with its error', async () => {
    await expect(withDeadline(1000, Promise.reject(new Error('lost')), late)).rejects.toThrow('lost');
  });

  test('that takes too long, rejects with the error that is thrown for it', async () => {
    const result = withDeadline(10, never, () => {
      throw new Error('too late');
    });
    await expect(result).rejects.toThrow('too late');
  });
});
