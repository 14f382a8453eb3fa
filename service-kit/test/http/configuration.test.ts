import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  ConfigurationError,
  milliseconds,
  readConfiguration,
  serviceSettings,
  serviceUrl,
  share,
  wholeNumber,
} from '../../src/http/configuration.ts';

const schema = z.object({ ...serviceSettings({ port: 8001 }), TOKEN: z.string().min(20).optional() });

describe('readConfiguration', () => {
  const defaults = { HOST: '127.0.0.1', PORT: 8001, LOG_LEVEL: 'info', STOP_TIMEOUT_MS: 10_000 };

  test('has a default for everything', () => {
    expect(readConfiguration(schema, {})).toEqual(defaults);
  });

  test('reads the variables that are set, and ignores others', () => {
    const env = { HOST: '0.0.0.0', PORT: '0', LOG_LEVEL: 'silent', STOP_TIMEOUT_MS: '1', PATH: '/bin' };
    expect(readConfiguration(schema, env)).toEqual({
      HOST: '0.0.0.0',
      PORT: 0,
      LOG_LEVEL: 'silent',
      STOP_TIMEOUT_MS: 1,
    });
  });

  test('given an empty variable, uses the default', () => {
    expect(readConfiguration(schema, { HOST: '', PORT: '', LOG_LEVEL: '', TOKEN: '' })).toEqual(defaults);
  });

  test('names every wrong variable at once, and no values, because some are secrets', () => {
    const wrong = { PORT: '70001', LOG_LEVEL: 'loud', STOP_TIMEOUT_MS: '5 s', TOKEN: 'hunter2' };
    const error = catchError(() => readConfiguration(schema, wrong));
    expect(error).toBeInstanceOf(ConfigurationError);
    for (const [name, value] of Object.entries(wrong)) {
      expect(error.message).toContain(`  ${name}: `);
      expect(error.message).not.toContain(value);
    }
    expect(error.message.trim().split('\n')).toHaveLength(1 + Object.keys(wrong).length);
  });
});

// Texts that Number() parses, or almost, and that are not plain digits.
const noWholeNumbers = ['1e3', '0x10', ' 5', '5 ', '5\n', '-1', '+1', '0.5', '1_000', 'NaN', 'Infinity', '٣'];

describe('milliseconds', () => {
  test.each([
    ['1', 1],
    ['007', 7],
    ['2147483647', 2_147_483_647],
  ])('reads %j', (text, value) => {
    expect(milliseconds().parse(text)).toBe(value);
  });

  test.each([
    ['0', 'must be at least 1'],
    // With one more, setTimeout would fire at once.
    ['2147483648', 'must be at most 2147483647'],
    ...noWholeNumbers.map((text): [string, string] => [text, 'must be a whole number']),
  ])('refuses %j: %s', (text, message) => {
    expect(messagesOf(milliseconds(), text)).toEqual([message]);
  });

  test('can be allowed to be 0', () => {
    expect(milliseconds({ min: 0 }).parse('0')).toBe(0);
  });
});

describe('wholeNumber', () => {
  const range = wholeNumber({ min: 2, max: 4 });

  test.each(['2', '3', '4'])('reads %j, which is in the range', (text) => {
    expect(range.parse(text)).toBe(Number(text));
  });

  test.each([
    ['1', 'must be at least 2'],
    ['5', 'must be at most 4'],
    ['9'.repeat(30), 'must be at most 4'],
    ...noWholeNumbers.map((text): [string, string] => [text, 'must be a whole number']),
  ])('refuses %j: %s', (text, message) => {
    expect(messagesOf(range, text)).toContain(message);
  });
});

describe('share', () => {
  test.each([
    ['0', 0],
    ['0.5', 0.5],
    ['1', 1],
    ['1.0', 1],
  ])('reads %j', (text, value) => {
    expect(share().parse(text)).toBe(value);
  });

  test.each([
    '1.1',
    '2',
    '-0.5',
    '.5',
    '5.',
    '1e-1',
    ' 0.5',
    '50%',
    '0,5',
    'NaN',
    '0x1',
  ])('refuses %j', (text) => {
    expect(messagesOf(share(), text)).toEqual(['must be a number from 0 to 1']);
  });
});

describe('serviceUrl', () => {
  test.each([
    'http://127.0.0.1:8001',
    'https://aldeamo.example',
    'http://aldeamo-service:8001',
  ])('takes %j', (url) => {
    expect(serviceUrl().parse(url)).toBe(url);
  });

  test.each([
    'ftp://x',
    'x',
    'localhost:8001',
    '//x',
    '/x',
    'http://',
    'file:///etc/passwd',
    'httpx://x',
  ])('refuses %j', (url) => {
    expect(messagesOf(serviceUrl(), url)).toEqual(['must be an http:// or https:// URL']);
  });
});

function messagesOf(type: z.ZodType, input: string): string[] {
  return type.safeParse(input).error?.issues.map(({ message }) => message) ?? [];
}

function catchError(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
