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
