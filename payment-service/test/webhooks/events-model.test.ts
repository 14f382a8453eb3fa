import fc from 'fast-check';
import type { Server } from 'service-kit/http/types.ts';
import { afterEach, expect, test, vi } from 'vitest';
import type { PaymentEvent } from '../../src/domain/events.ts';
import { newPayment, type Payment } from '../../src/domain/payment.ts';
import { writeTime } from '../../src/domain/time.ts';
import { build } from '../fixture.ts';
import { createMemoryEvents } from '../store/memory-events.ts';

const retentionMs = 3_600_000;
/** How much older than its commit an event can be. */
const longestLagMs = 50_000;
/** By how much a cursor may be refused before the end of the retention. */
const marginMs = 60_000;

const some = fc.integer({ min: 1, max: 4 });
const stepOf = <Type extends string>(type: Type, value: fc.Arbitrary<number>) =>
  fc.record({ type: fc.constant(type), value });
/** What is read now, or was recorded a little before, is about to be deleted after it. */
const nearRetention = fc.integer({ min: retentionMs - longestLagMs, max: retentionMs });
const step = fc.oneof(
  { weight: 4, arbitrary: stepOf('record', fc.nat(longestLagMs)) },
  { weight: 6, arbitrary: stepOf('read', some) },
  { weight: 3, arbitrary: stepOf('pass', fc.oneof(fc.nat(retentionMs), nearRetention)) },
  { weight: 3, arbitrary: stepOf('delete', fc.constantFrom(1, 2, 100)) },
);
const steps = fc.array(step, { minLength: 5, maxLength: 60, size: 'max' });

type Events = ReturnType<typeof createMemoryEvents>;

/** A feed with all that was ever recorded in it, and a client that follows it. Each method returns which case it was. */
function createWorld(app: Server, events: Events) {
  const request = { amount_minor: 1, currency: 'COP', customer_id: '1', phone: null, message: 'x' };
  let payment = newPayment(request, retentionMs, { traceparent: null, request_id: null });
  const recorded: string[] = [];
  /** The client's cursor, the time that it is of, and how many events are before it. */
  let after: string | undefined;
  let at = 0;
  let place = 0;
  const stored = () => (events.read({ after: undefined, limit: 1000 })?.events ?? []).map(idOf);
  const isStored = (id: string | undefined) => id !== undefined && stored().includes(id);

  function refused(): string {
    expect(Date.now() - at).toBeGreaterThanOrEqual(retentionMs - marginMs);
    expect(isStored(recorded[place - 1]), 'the event of a cursor that is refused is stored').toBe(false);
    after = undefined;
    return recorded.slice(place).every(isStored) ? '410 of an idle feed' : '410 of deleted events';
  }

  function checkPage(ids: string[], limit: number, has_more: boolean): void {
    const following = recorded.slice(place).filter(isStored);
    expect(ids).toEqual(following.slice(0, limit));
    expect(has_more).toBe(following.length > limit);
    const isGap = ids.length > 0 && recorded[place] !== ids[0];
    if (isGap && after !== undefined)
      expect(isStored(recorded[place - 1]), 'events are skipped behind one that is deleted').toBe(true);
    place = ids.length > 0 ? recorded.indexOf(ids.at(-1) ?? '') + 1 : place;
  }

  return {
    record(lagMs: number): string {
      const notification_status = payment.notification_status === 'sent' ? 'delivered' : 'sent';
      const next: Payment = { ...payment, notification_status, updated_at: writeTime(Date.now() - lagMs) };
      events.record(next, payment);
      payment = next;
      recorded.push(stored().at(-1) ?? '');
      return 'recorded';
    },

    async read(limit: number): Promise<string> {
      const query = { limit: String(limit), ...(after && { after }) };
      const response = await app.inject({ url: '/events', query });
      if (response.statusCode === 410) return refused();
      if (after === undefined) place = recorded.indexOf(stored()[0] ?? '');
      if (place < 0) place = recorded.length;
      const { data, cursor, has_more } = response.json();
      checkPage(
        data.map(({ id }: { id: string }) => id),
        limit,
        has_more,
      );
      after = cursor;
      at = has_more ? Date.parse(data.at(-1).timestamp) : Date.now();
      if (has_more) return 'more';
      return data.length > 0 ? 'the last page' : 'an empty page';
    },

    pass(ms: number): string {
      vi.setSystemTime(Date.now() + ms);
      return 'time has passed';
    },

    delete(limit: number): string {
      events.delete(Date.now() - retentionMs, limit);
      return 'deleted';
    },
  };
}

const idOf = ({ event_id }: PaymentEvent) => event_id;

afterEach(() => void vi.useRealTimers());

test('given events, reads and deletions in any order, each cursor continues with the next event that is stored, or is a 410 because one may be deleted', {
  timeout: 30_000,
}, async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const { app, store } = await build({ events: { recording: 'feed', retentionMs } });
  const readEvents = vi.spyOn(store, 'readEvents');
  const cases = new Set<string>();
  const property = fc.asyncProperty(steps, async (sequence) => {
    const events = createMemoryEvents('feed');
    readEvents.mockImplementation(async (query) => events.read(query));
    const world = createWorld(app, events);
    for (const { type, value } of sequence) cases.add(await world[type](value));
  });
  await fc.assert(property, { numRuns: 100 });
  // Without these cases the sequences would prove nothing.
  expect([...cases]).toEqual(
    expect.arrayContaining([
      'more',
      'the last page',
      'an empty page',
      '410 of deleted events',
      '410 of an idle feed',
    ]),
  );
});
