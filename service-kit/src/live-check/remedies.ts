import { remedyOf } from '../client/connect-log.ts';
import type { Provider } from '../contract/notification.ts';

const credentials = {
  Aldeamo: 'correct ALDEAMO_USERNAME and ALDEAMO_PASSWORD',
  Twilio:
    'correct TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY_SID and TWILIO_API_KEY_SECRET if they are set',
};
const baseUrl = { Aldeamo: 'ALDEAMO_BASE_URL', Twilio: 'TWILIO_BASE_URL' };

/** What to do about a reason. Of the first pattern that matches. */
const remedies: [reasons: RegExp, remedy: (provider: Provider) => string][] = [
  [/^(credentials|twilio_20003)$/, (provider) => credentials[provider]],
  [/^http_40[13]$/, (provider) => `${credentials[provider]}; SERVICE_TOKEN must be the same in all services`],
  [/^balance$/, () => 'top up the account'],
  [/^(route_not_configured|account_blocked)$/, () => "ask Aldeamo's support"],
  [/^twilio_20404$/, () => 'correct TWILIO_ACCOUNT_SID'],
  [/^check_forbidden$/, () => 'the API key may not read messages'],
  [/^(phone_invalid|twilio_(21211|21614|21635|21266))$/, () => 'check the number after --to'],
  [/^(blocked|opted_out|twilio_21610)$/, () => 'this recipient has blocked the SMS: use another number'],
  [/^twilio_21408$/, () => 'allow the country in the geographic permissions of the Twilio console'],
  [/^twilio_21608$/, () => 'a trial account sends to verified numbers alone: verify it, or upgrade'],
  [/^twilio_21609$/, () => 'correct PUBLIC_URL'],
  [
    /^twilio_(21212|21606|21607|21616|21659|2166[01]|217\d\d|14108)$/,
    () => 'correct TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID',
  ],
  [/^(tls|proxy)_/, () => ''],
  [/^http_3/, (provider) => `correct ${baseUrl[provider]}`],
  [
    /^(dns_failure|connection_(refused|failed|lost)|connect_timeout|deadline_passed|gateway_timeout)$/,
    (provider) => `check the network, HTTPS_PROXY and ${baseUrl[provider]}`,
  ],
  [/^(http_5|throttled|http_429|twilio_(20429|20500|21730))/, () => 'try again later'],
];

/** What to do about a reason of an outcome or a check, with a colon before it; empty if it is not known. */
export function remedyFor(provider: Provider, reason: string): string {
  const code = /^twilio_(\d+)$/.exec(reason)?.[1];
  const known = remedies.find(([reasons]) => reasons.test(reason))?.[1](provider);
  const remedy = known || remedyOf(reason) || (code && `see https://www.twilio.com/docs/api/errors/${code}`);
  return remedy ? `: ${remedy}` : '';
}
