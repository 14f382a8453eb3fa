import { createLogger } from 'service-kit/http/start.ts';
import { afterEach, expect, test, vi } from 'vitest';
import { createReopeningStore } from '../../src/store/reopening-store.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';

const log = createLogger({ level: 'silent' });
const opened = () => ({ check: async () => {}, close: vi.fn(async () => {}) }) as unknown as Store;

afterEach(() => void vi.useRealTimers());

test('the reopening store is opened once, by its first call', async () => {
  const open = vi.fn(async () => opened());
  const store = createReopeningStore(open, log);
  expect(open).not.toHaveBeenCalled();
  await Promise.all([store.check(), store.check()]);
  await store.check();
  expect(open).toHaveBeenCalledTimes(1);
});

test('the reopening store, given a failed open, retries it after a second, not before', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const open = vi.fn<() => Store>(opened).mockImplementationOnce(() => {
    throw new Error('read-only');
  });
  const store = createReopeningStore(open, log);
  await expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable);
  await expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable);
  expect(open).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1000);
  await store.check();
  expect(open).toHaveBeenCalledTimes(2);
});

test('the reopening store, given a slow open, rejects calls until it is open', async () => {
  vi.useFakeTimers();
  const opening = Promise.withResolvers<Store>();
  const store = createReopeningStore(() => opening.promise, log);
  const rejecting = expect(store.check()).rejects.toThrow('still being opened');
  await vi.advanceTimersByTimeAsync(3000);
  await rejecting;
  opening.resolve(opened());
  await store.check();
});

test('the reopening store closes its store only if it was opened', async () => {
  await createReopeningStore(opened, log).close();
  const inner = opened();
  const store = createReopeningStore(() => inner, log);
  await store.check();
  await store.close();
  expect(inner.close).toHaveBeenCalledTimes(1);
});

function logTo(lines: Record<string, unknown>[]) {
  return createLogger({}, { write: (line) => void lines.push(JSON.parse(line)) });
}

test('the reopening store logs why it cannot be opened in one line, again only when that changes, and when it is open', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const lines: Record<string, unknown>[] = [];
  const reasons = ['read-only', 'read-only', 'full'];
  const open = () => {
    const reason = reasons.shift();
    if (reason) throw new Error(reason);
    return opened();
  };
  const store = createReopeningStore(open, logTo(lines), (cause) =>
    (cause as Error).message === 'full' ? 'the disk is full: free space' : undefined,
  );
  for (const _ of [1, 2, 3]) {
    await expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable);
    vi.advanceTimersByTime(1000);
  }
  await store.check();
  const start = 'the database cannot be opened; payments are refused until it can';
  expect(lines.map(({ msg }) => msg)).toEqual([
    `${start}: read-only`,
    `${start}: the disk is full: free space`,
    'the database is open; payments are taken',
  ]);
  expect(lines.filter(({ err }) => err !== undefined)).toEqual([]);
});

test('the reopening store, given a defect while it is opened, logs its stack', async () => {
  const lines: Record<string, unknown>[] = [];
  const store = createReopeningStore(() => {
    throw new TypeError('x is undefined');
  }, logTo(lines));
  await expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable);
  expect(lines).toMatchObject([{ err: { stack: expect.stringContaining('    at ') } }]);
});

test('the reopening store reports the error of each call that fails, while it cannot be opened and once it is open', async () => {
  const inner = opened();
  const openings = [new Error('read-only')];
  const errors: unknown[] = [];
  const store = createReopeningStore(
    () => {
      const error = openings.pop();
      if (error) throw error;
      return inner;
    },
    log,
    undefined,
    (error) => errors.push(error),
  );
  vi.useFakeTimers({ toFake: ['performance'] });
  await expect(store.check()).rejects.toBeInstanceOf(StoreUnavailable);
  expect(errors).toEqual([expect.any(StoreUnavailable)]);
  vi.advanceTimersByTime(1000);
  await store.check();
  expect(errors).toHaveLength(1);
  const lost = new StoreUnavailable('lost');
  vi.spyOn(inner, 'check').mockRejectedValue(lost);
  await expect(store.check()).rejects.toBe(lost);
  expect(errors[1]).toBe(lost);
});
