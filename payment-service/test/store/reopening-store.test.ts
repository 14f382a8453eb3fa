import { createLogger } from 'service-kit/http/start.ts';
import { afterEach, expect, test, vi } from 'vitest';
import { createReopeningStore } from '../../src/store/reopening-store.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';

const log = createLogger({ level: 'silent' });
const opened = () => ({ check: async () => {}, close: vi.fn(async () => {}) }) as unknown as Store;

afterEach(() => void vi.useRealTimers());

test('is opened once, by the first who needs it', async () => {
  const open = vi.fn(async () => opened());
  const store = createReopeningStore(open, log);
  expect(open).not.toHaveBeenCalled();
  await Promise.all([store.check(), store.check()]);
  await store.check();
  expect(open).toHaveBeenCalledTimes(1);
});

test('that can not be opened is tried again, but not within a second', async () => {
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

test('that takes long to open is not waited for, and is there once it is open', async () => {
  const opening = Promise.withResolvers<Store>();
  const store = createReopeningStore(() => opening.promise, log);
  await expect(store.check()).rejects.toThrow('still being opened');
  opening.resolve(opened());
  await store.check();
});

test('is closed if it was opened, and else there is nothing to close', async () => {
  await createReopeningStore(opened, log).close();
  const inner = opened();
  const store = createReopeningStore(() => inner, log);
  await store.check();
  await store.close();
  expect(inner.close).toHaveBeenCalledTimes(1);
});
