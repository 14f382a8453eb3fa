import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { writeNow, writeTime } from '../../src/domain/time.ts';

afterEach(() => void vi.useRealTimers());

test('a time is written as Date writes it, whatever was written before', () => {
  const time = fc.date({ noInvalidDate: true }).map((date) => date.getTime());
  fc.assert(
    fc.property(fc.array(fc.tuple(time, fc.nat(1500)), { minLength: 1 }), (times) => {
      for (const [ms, later] of times)
        for (const each of [ms, Math.min(ms + later, 8.64e15)])
          expect(writeTime(each)).toBe(new Date(each).toISOString());
    }),
  );
});

test('the present time follows a clock that is set back', () => {
  vi.useFakeTimers({ now: Date.parse('2026-03-01T12:00:00.999Z'), toFake: ['Date'] });
  expect(writeNow()).toBe('2026-03-01T12:00:00.999Z');
  vi.setSystemTime(Date.parse('2026-03-01T11:59:59.007Z'));
  expect(writeNow()).toBe('2026-03-01T11:59:59.007Z');
});
