import { expect, test } from 'vitest';
import { ConnectError } from '../../src/client/connect-error.ts';
import { createConnectLog } from '../../src/client/connect-log.ts';

function logAt() {
  const lines: string[] = [];
  let now = 0;
  const log = { error: ({ reason }: { reason: string }) => void lines.push(reason) };
  const report = createConnectLog({
    host: 'api.example',
    proxy: undefined,
    log: log as never,
    now: () => now,
  });
  return {
    lines,
    meet: (reason: string, ms = 0) => {
      now += ms;
      report(new ConnectError(reason, reason));
    },
  };
}

test('given a fault that lasts, logs it once in ten minutes, and another at once', () => {
  const { lines, meet } = logAt();
  meet('tls_ca_unknown');
  meet('tls_ca_unknown', 599_999);
  meet('proxy_refused');
  expect(lines).toEqual(['tls_ca_unknown', 'proxy_refused']);
  meet('tls_ca_unknown', 1);
  expect(lines).toHaveLength(3);
});

test.each([
  'connection_refused',
  'dns_failure',
  'connect_timeout',
  'overloaded',
])('given %s, which no setting mends, logs nothing', (reason) => {
  const { lines, meet } = logAt();
  meet(reason);
  expect(lines).toEqual([]);
});
