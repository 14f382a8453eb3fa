import type { FastifyBaseLogger } from 'fastify';
import type { Mode } from 'service-kit/contract/mode.ts';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { areMixed, createProviderModes } from '../../src/providers/provider-modes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp(allowMixed = false) {
  const lines: { level: string; modes: Record<string, Mode | null>; msg: string }[] = [];
  const level =
    (level: string) =>
    ({ modes }: { modes: Record<string, Mode | null> }, msg: string) =>
      void lines.push({ level, modes, msg });
  const log = { info: level('info'), warn: level('warn'), error: level('error') };
  return { modes: createProviderModes({ allowMixed, log: log as unknown as FastifyBaseLogger }), lines };
}

describe('live_only', () => {
  test('is off until a provider was seen live, and while both are sandboxes', () => {
    const { modes } = setUp();
    expect(modes.isLiveOnly()).toBe(false);
    modes.learn('Aldeamo', 'sandbox');
    modes.learn('Twilio', 'sandbox');
    modes.learn('Twilio', undefined);
    expect(modes.isLiveOnly()).toBe(false);
    expect([modes.of('Aldeamo'), modes.of('Twilio')]).toEqual(['sandbox', 'sandbox']);
  });

  test('is on while a provider that was live before the start has not reported its mode', () => {
    const { modes } = setUp();
    modes.presumeLive('Aldeamo');
    modes.learn('Twilio', 'sandbox');
    expect([modes.isLiveOnly(), modes.of('Aldeamo')]).toEqual([true, null]);
    modes.learn('Aldeamo', 'sandbox');
    expect(modes.isLiveOnly()).toBe(false);
  });

  test.each([
    'Aldeamo',
    'Twilio',
  ] as const)('is on once %s was seen live, however long it is silent after that', (provider) => {
    const { modes } = setUp();
    modes.learn(provider === 'Aldeamo' ? 'Twilio' : 'Aldeamo', 'sandbox');
    modes.learn(provider, 'live');
    modes.learn(provider, undefined);
    vi.advanceTimersByTime(86_400_000);
    expect(modes.isLiveOnly()).toBe(true);
  });

  test('stays on for a minute after the last answer of a live one, since replicas of one service may report both modes', () => {
    const { modes } = setUp();
    for (let times = 0; times < 3; times += 1) {
      modes.learn('Twilio', 'live');
      modes.learn('Twilio', 'sandbox');
      vi.advanceTimersByTime(59_999);
      expect(modes.isLiveOnly()).toBe(true);
    }
    vi.advanceTimersByTime(1);
    expect(modes.isLiveOnly()).toBe(false);
  });

  test('is off with ALLOW_MIXED_MODES', () => {
    const { modes } = setUp(true);
    modes.learn('Aldeamo', 'live');
    modes.learn('Twilio', 'sandbox');
    expect(modes.isLiveOnly()).toBe(false);
  });
});

describe('the log has a line for each change of', () => {
  test.each([
    [false, 'error', /no failover/],
    [true, 'warn', /ALLOW_MIXED_MODES/],
  ] as const)('mixed modes; ALLOW_MIXED_MODES: %s', (allowMixed, level, message) => {
    const { modes, lines } = setUp(allowMixed);
    modes.learn('Aldeamo', 'live');
    expect(lines).toEqual([]);
    for (let times = 0; times < 3; times += 1) {
      modes.learn('Twilio', 'sandbox');
      modes.learn('Aldeamo', 'live');
    }
    expect(lines).toEqual([
      { level, modes: { Aldeamo: 'live', Twilio: 'sandbox' }, msg: expect.stringMatching(message) },
    ]);
    modes.learn('Twilio', 'live');
    modes.learn('Twilio', 'live');
    expect(lines.slice(1)).toEqual([
      { level: 'info', modes: { Aldeamo: 'live', Twilio: 'live' }, msg: expect.any(String) },
    ]);
  });
});

test.each<[Mode | null, Mode | null, boolean]>([
  [null, null, false],
  ['live', null, false],
  [null, 'sandbox', false],
  ['live', 'live', false],
  ['sandbox', 'sandbox', false],
  ['live', 'sandbox', true],
  ['sandbox', 'live', true],
])('given Aldeamo %s and Twilio %s, are mixed: %s', (Aldeamo, Twilio, mixed) => {
  expect(areMixed({ Aldeamo, Twilio })).toBe(mixed);
});
