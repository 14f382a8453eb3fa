import { expect, test } from 'vitest';
import { reachableUrl } from '../../src/http/reachable-url.ts';

test.each([
  ['127.0.0.1', 'http://127.0.0.1:8000'],
  ['127.0.0.2', 'http://127.0.0.2:8000'],
  ['localhost', 'http://localhost:8000'],
  ['payments.example', 'http://payments.example:8000'],
  ['::1', 'http://[::1]:8000'],
  ['2001:DB8::1', 'http://[2001:db8::1]:8000'],
  ['0.0.0.0', 'http://127.0.0.1:8000'],
  ['0', 'http://127.0.0.1:8000'],
  ['::', 'http://127.0.0.1:8000'],
  ['0:0:0:0:0:0:0:0', 'http://127.0.0.1:8000'],
])('a service that listens on HOST %s is reached at %s', (host, url) => {
  expect(reachableUrl(host, 8000)).toBe(url);
});

test.each([
  'a b',
  'host:80',
  'user@host',
  'host/path',
  'host?',
  'host#',
])('given HOST %j, returns nothing', (host) => {
  expect(reachableUrl(host, 8000)).toBeUndefined();
});
