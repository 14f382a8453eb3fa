import type { AccountReport } from 'service-kit/contract/account.ts';
import { createLogger } from 'service-kit/http/start.ts';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createNotifier } from '../../src/delivery/notifier.ts';
import { circuitBreakerDefaults } from '../../src/providers/circuit-breaker.ts';
import { fakeClient } from '../fixture.ts';

test('given an account that its provider refuses, the observers get its report, and the cause with which the circuit opens', async () => {
  const account: AccountReport = {
    ...{ state: 'refused', reason: 'credentials', since: '2026-01-31T17:00:00.000Z', balance: null },
  };
  const clients = { Aldeamo: fakeClient('Aldeamo', []), Twilio: fakeClient('Twilio', []) };
  clients.Twilio.state = { mode: 'live', account };
  const observer = { circuitChanged: vi.fn(), accountReported: vi.fn() };
  const notifier = createNotifier({
    clients,
    parameters: circuitBreakerDefaults,
    policy: { unknownOutcome: 'resend', receiptTimeoutMs: 600_000 },
    observers: [observer],
    log: createLogger({ level: 'silent' }),
  });
  onTestFinished(() => notifier.close());
  await vi.waitFor(() => expect(observer.accountReported.mock.calls).toEqual([['Twilio', account]]));
  expect(observer.circuitChanged.mock.calls).toEqual([['Twilio', 'open', 'account_refused: credentials']]);
});
