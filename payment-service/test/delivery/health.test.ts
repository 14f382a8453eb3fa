import { describe, expect, test } from 'vitest';
import { healthOf } from '../../src/delivery/health.ts';
import type { ProviderReport } from '../../src/providers/circuit-report.ts';
import { accountRefused } from '../../src/providers/circuit-state.ts';
import { closedReport } from '../fixture.ts';

const at = closedReport.since;
const ready: ProviderReport = {
  ...closedReport,
  mode: 'live',
  account: { state: 'ok', reason: null, since: at, balance: null },
};
const open: ProviderReport = { ...ready, state: 'open', reason: '3 of 5 calls failed' };
const halfOpen: ProviderReport = { ...open, state: 'half_open' };
const throttled: ProviderReport = { ...ready, throttled_until: at };
const sandbox: ProviderReport = { ...ready, mode: 'sandbox', account: null };
const refusedByReport: ProviderReport = {
  ...ready,
  account: { state: 'refused', reason: 'credentials', since: at, balance: null },
};
const refusedByCircuit: ProviderReport = { ...open, reason: accountRefused('credentials') };

describe('the health of payment-service', () => {
  test.each<[name: string, Aldeamo: ProviderReport, Twilio: ProviderReport]>([
    ['two live providers', ready, ready],
    ['two sandboxes', sandbox, sandbox],
    ['modes and accounts that are not known yet', { ...ready, mode: null, account: null }, sandbox],
  ])('given %s that can send, is healthy', (_name, Aldeamo, Twilio) => {
    expect(healthOf({ Aldeamo, Twilio }, true)).toEqual({ status: 'healthy', reasons: [] });
  });

  test.each<[name: string, Aldeamo: ProviderReport, Twilio: ProviderReport, reasons: string[]]>([
    ['an open circuit of Aldeamo', open, ready, ['Aldeamo: circuit_open']],
    ['a half-open circuit of Aldeamo', halfOpen, ready, ['Aldeamo: circuit_half_open']],
    ['a pause that Aldeamo asked for', throttled, ready, ['Aldeamo: throttled']],
    ['a sandbox in place of Aldeamo', sandbox, ready, ['Aldeamo: sandbox_beside_live']],
    ['an open circuit of Twilio', ready, open, ['Twilio: circuit_open']],
    ['a sandbox in place of Twilio', ready, sandbox, ['Twilio: sandbox_beside_live']],
    ['an account that Aldeamo refuses', refusedByReport, ready, ['Aldeamo: account_refused']],
    ['an account that Twilio refuses', ready, refusedByReport, ['Twilio: account_refused']],
    [
      'an account whose refusal only a send has met',
      ready,
      refusedByCircuit,
      ['Twilio: circuit_open', 'Twilio: account_refused'],
    ],
    [
      'two accounts that are reported as refused while their SMS are accepted',
      refusedByReport,
      refusedByReport,
      ['Aldeamo: account_refused', 'Twilio: account_refused'],
    ],
  ])('given %s, is degraded', (_name, Aldeamo, Twilio, reasons) => {
    expect(healthOf({ Aldeamo, Twilio }, true)).toEqual({ status: 'degraded', reasons });
  });

  test.each<[name: string, Aldeamo: ProviderReport, Twilio: ProviderReport, reasons: string[]]>([
    ['two open circuits', open, open, ['Aldeamo: circuit_open', 'Twilio: circuit_open']],
    [
      'an open circuit and one with a probe',
      open,
      halfOpen,
      ['Aldeamo: circuit_open', 'Twilio: circuit_half_open'],
    ],
    ['an open circuit and a pause', open, throttled, ['Aldeamo: circuit_open', 'Twilio: throttled']],
    [
      'an open circuit beside a sandbox',
      open,
      sandbox,
      ['Aldeamo: circuit_open', 'Twilio: sandbox_beside_live'],
    ],
  ])('given %s, is unhealthy', (_name, Aldeamo, Twilio, reasons) => {
    expect(healthOf({ Aldeamo, Twilio }, true)).toEqual({ status: 'unhealthy', reasons });
  });

  test('given a store that is unavailable, is unhealthy whatever the providers are', () => {
    expect(healthOf({ Aldeamo: ready, Twilio: ready }, false)).toEqual({
      status: 'unhealthy',
      reasons: ['store_unavailable'],
    });
    expect(healthOf({ Aldeamo: open, Twilio: ready }, false)).toEqual({
      status: 'unhealthy',
      reasons: ['store_unavailable', 'Aldeamo: circuit_open'],
    });
  });
});
