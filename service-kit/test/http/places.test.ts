import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPlaces, type Places } from '../../src/http/places.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const takeMany = (places: Places, client: string, count: number) =>
  Array.from({ length: count }, () => places.take(client)).filter(Boolean).length;

function waitOf(places: Places, client: string) {
  const wait = places.wait(client);
  if (!wait) throw new Error(`${client} may not wait`);
  return wait;
}

/** What is known of a wait now. */
const stateOf = (place: Promise<boolean>) => Promise.race([place, Promise.resolve('waiting')]);

test.each([1, 2, 3, 10])('given %i places, a client that is alone takes all, and no more', (limit) => {
  const places = createPlaces(limit, 1000);
  expect(takeMany(places, 'a', limit + 1)).toBe(limit);
  expect(places.wait('a')).toBeUndefined();
  for (let at = 0; at < limit; at += 1) places.release('a');
  expect(takeMany(places, 'b', limit + 1)).toBe(limit);
});

test.each([
  1, 2, 3, 10,
])('given a client with all of %i places, another one gets the next that is free, before the first', async (limit) => {
  const places = createPlaces(limit, 1000);
  takeMany(places, 'hog', limit);
  const { place } = waitOf(places, 'honest');
  expect(await stateOf(place)).toBe('waiting');
  places.release('hog');
  expect(places.take('hog')).toBe(false);
  expect(await stateOf(place)).toBe(true);
});

test('given a client with all places, others wait in the order in which they came', async () => {
  const places = createPlaces(4, 1000);
  takeMany(places, 'hog', 4);
  const waits = ['b', 'c', 'b'].map((client) => waitOf(places, client).place);
  places.release('hog');
  expect(await Promise.all(waits.map(stateOf))).toEqual([true, 'waiting', 'waiting']);
  places.release('hog');
  expect(await Promise.all(waits.map(stateOf))).toEqual([true, true, 'waiting']);
});

test('given a client with all places, another one that waits gets half of them', async () => {
  const places = createPlaces(10, 1000);
  takeMany(places, 'hog', 10);
  const waits = Array.from({ length: 10 }, () => places.wait('honest')?.place);
  expect(waits.filter(Boolean)).toHaveLength(5);
  for (let at = 0; at < 10; at += 1) places.release('hog');
  expect(await Promise.all(waits.slice(0, 5))).toEqual(Array(5).fill(true));
  expect(takeMany(places, 'honest', 10)).toBe(5);
});

test('given clients none of which has more than half, none waits', () => {
  const places = createPlaces(4, 1000);
  takeMany(places, 'a', 2);
  takeMany(places, 'b', 2);
  for (const client of ['a', 'b', 'c']) expect(places.wait(client), client).toBeUndefined();
  places.release('a');
  expect(places.take('c')).toBe(true);
});

test('as many may wait as there are places', () => {
  const places = createPlaces(3, 1000);
  takeMany(places, 'hog', 3);
  const waits = ['a', 'b', 'c', 'd'].map((client) => places.wait(client));
  expect(waits.map(Boolean)).toEqual([true, true, true, false]);
});

describe('a wait', () => {
  test('ends after the longest wait', async () => {
    const places = createPlaces(1, 1000);
    places.take('hog');
    const { place } = waitOf(places, 'honest');
    vi.advanceTimersByTime(1000);
    expect(await place).toBe(false);
    places.release('hog');
    expect(places.take('other')).toBe(true);
  });

  test('ends with its client, whose place goes to the next', async () => {
    const places = createPlaces(1, 1000);
    places.take('hog');
    const gone = waitOf(places, 'gone');
    gone.leave();
    expect(await gone.place).toBe(false);
    const placed = waitOf(places, 'honest');
    places.release('hog');
    expect(await placed.place).toBe(true);
    const next = waitOf(places, 'hog');
    placed.leave();
    expect(await next.place).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('ends when all waits do', async () => {
    const places = createPlaces(2, 1000);
    takeMany(places, 'hog', 2);
    const waits = ['a', 'b'].map((client) => waitOf(places, client).place);
    places.endWaits();
    expect(await Promise.all(waits)).toEqual([false, false]);
    places.release('hog');
    expect(takeMany(places, 'c', 2)).toBe(1);
  });
});
