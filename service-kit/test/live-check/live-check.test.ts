import type { UpstreamHealth } from 'service-kit/contract/account.ts';
import type { NotifyRequest, Outcome } from 'service-kit/contract/notification.ts';
import { type CheckedProvider, checkLive } from 'service-kit/live-check/live-check.ts';
import { expect, test } from 'vitest';

const phone = '+573001234567';

interface Answers {
  health?: Partial<UpstreamHealth>;
  balance?: number | null;
  outcome?: Outcome;
}

/** What is printed of a live provider, whether it is fine, and what was sent. */
async function checkOne({ health, balance = null, outcome }: Answers, to: string | undefined) {
  const sent: NotifyRequest[] = [];
  const lines: string[] = [];
  const provider: CheckedProvider = {
    provider: 'Twilio',
    readState: async () => ({ mode: 'live', account: { balance } }),
    check: async () => ({ status: 'healthy', reason: null, account_refused: false, ...health }),
    notify: async (request) => {
      sent.push(request);
      return outcome ?? { outcome: 'accepted', message_id: 'SM1' };
    },
  };
  return { isFine: await checkLive([provider], to, (line) => lines.push(line)), lines, sent };
}

test('given --to, the test SMS is for that phone, by a live gateway alone and for minutes', async () => {
  const { isFine, lines, sent } = await checkOne({}, phone);
  expect(sent).toMatchObject([{ phone, live_only: true, ttl_seconds: 600 }]);
  expect([isFine, lines.at(-1)]).toEqual([true, 'Twilio: test SMS accepted, message id SM1']);
  expect(lines.join()).not.toContain('300123');
});

test.each<[what: string, Answers, to: string | undefined, isFine: boolean, line: RegExp]>([
  [
    'a fault that only sends have met, and a test SMS that is accepted',
    { health: { status: 'unknown', reason: 'twilio_21606', account_refused: true } },
    phone,
    true,
    /the account is refused \(twilio_21606\): correct TWILIO_FROM/,
  ],
  [
    'the same without a test SMS',
    { health: { status: 'unknown', reason: 'twilio_21606', account_refused: true } },
    undefined,
    false,
    /send a test SMS with --to$/,
  ],
  ['an account without SMS that still takes one', { balance: 0 }, phone, false, /no SMS are left: top up/],
  [
    'an outcome that is not known',
    { outcome: { outcome: 'unknown', reason: 'deadline_passed' } },
    phone,
    false,
    /test SMS unknown \(deadline_passed\): check the network/,
  ],
  [
    'a code without a known remedy',
    { outcome: { outcome: 'not_sent', reason: 'twilio_30034' } },
    phone,
    false,
    /\(twilio_30034\): see https:\/\/www\.twilio\.com\/docs\/api\/errors\/30034$/,
  ],
  [
    'a running service with another SERVICE_TOKEN',
    { health: { status: 'unhealthy', reason: 'http_401' } },
    undefined,
    false,
    /\(http_401\): .*SERVICE_TOKEN must be the same in all services$/,
  ],
  [
    'a certificate of an unknown authority',
    { health: { status: 'unhealthy', reason: 'tls_ca_unknown' } },
    undefined,
    false,
    /\(tls_ca_unknown\): the certificate .*NODE_EXTRA_CA_CERTS/,
  ],
])('given %s, prints why, and is fine only if an SMS was accepted', async (_what, answers, to, isFine, line) => {
  const found = await checkOne(answers, to);
  expect(found.isFine).toBe(isFine);
  expect(found.lines.join('\n')).toMatch(line);
});
