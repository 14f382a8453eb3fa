import { wrongWayOut } from 'service-kit/client/way-out-settings.ts';
import { wrongCredentials } from 'service-kit/http/access-settings.ts';
import { followHost, milliseconds, missing, serviceUrl, share } from 'service-kit/http/configuration.ts';
import { wrongPassword } from 'service-kit/postgres/database-settings.ts';
import { deliveryMs, providerSettings } from 'service-kit/provider/settings.ts';
import { z } from 'zod';
import { apiKeySecret, authToken, sender, sid } from './account-settings.ts';
import { isTwilioItself, publicUrl, whyNotPublic } from './public-url.ts';
import type { TwilioAccount } from './twilio-gateway.ts';

/** Any of these makes it live: then the rest is required, too. */
const liveSettings = [
  'TWILIO_ACCOUNT_SID',
  'TWILIO_AUTH_TOKEN',
  'TWILIO_AUTH_TOKEN_SECONDARY',
  'TWILIO_API_KEY_SID',
  'TWILIO_API_KEY_SECRET',
  'TWILIO_FROM',
  'TWILIO_MESSAGING_SERVICE_SID',
] as const;

export const twilioConfigSchema = z
  .object({
    ...providerSettings({ port: 8002 }),
    TWILIO_ACCOUNT_SID: sid('AC')
      .optional()
      .describe(
        'The Twilio account. It makes twilio-service live, together with an auth token or an API key, and a sender.',
      ),
    TWILIO_AUTH_TOKEN: authToken()
      .optional()
      .describe('The auth token of the account. It also verifies the signatures of delivery receipts.')
      .meta({ secret: true }),
    TWILIO_AUTH_TOKEN_SECONDARY: authToken()
      .optional()
      .describe(
        'The other auth token while it is rotated: a delivery receipt may be signed with either of them. It sends nothing.',
      )
      .meta({ secret: true }),
    TWILIO_API_KEY_SID: sid('SK')
      .optional()
      .describe('An API key that authenticates calls in place of the auth token.'),
    TWILIO_API_KEY_SECRET: apiKeySecret()
      .optional()
      .describe('The secret of that API key.')
      .meta({ secret: true }),
    TWILIO_FROM: sender().optional().describe('The sender. Set this or TWILIO_MESSAGING_SERVICE_SID.'),
    TWILIO_MESSAGING_SERVICE_SID: sid('MG').optional().describe('The messaging service that is the sender.'),
    TWILIO_BASE_URL: serviceUrl().default('https://api.twilio.com').describe("The address of Twilio's API."),
    PUBLIC_URL: publicUrl()
      .optional()
      .describe(
        'The address at which Twilio reaches twilio-service, perhaps with the path of a proxy. It enables status callbacks and the opt-outs of recipients, which need TWILIO_AUTH_TOKEN. Twilio has to reach it from the internet.',
      ),
    TWILIO_LATENCY_MS: milliseconds({ min: 0 })
      .default(100)
      .describe('How long a send takes in the sandbox of Twilio.'),
    TWILIO_FAILURE_RATE: share()
      .default(0)
      .describe('The share of sends and health checks that fail in the sandbox of Twilio.'),
    TWILIO_DELIVERY_MS: deliveryMs('Twilio'),
    TWILIO_LEDGER_FILE: z
      .string()
      .meta({ form: 'a path' })
      .optional()
      .describe(
        'The file in which the sandbox of Twilio records the messages that it has accepted, so that they survive a restart. Without it they are in memory. docker compose does not pass it on.',
      ),
  })
  .check(({ value, issues }) => {
    issues.push(...wrongCredentials(value, ['ADMIN_API_KEY', 'SERVICE_TOKEN']));
    const { SENDS_DATABASE_URL: url, SENDS_DATABASE_PASSWORD: password } = value;
    issues.push(...wrongPassword('SENDS_DATABASE_URL', url, password));
    if (liveSettings.every((name) => !value[name])) return;
    issues.push(...wrongWayOut(value));
    const need = (why: string, ...names: (keyof typeof value)[]) => issues.push(...missing(names, why));
    if (!value.TWILIO_ACCOUNT_SID) need('is required to send through Twilio', 'TWILIO_ACCOUNT_SID');
    if (value.TWILIO_API_KEY_SID && !value.TWILIO_API_KEY_SECRET)
      need('is required with TWILIO_API_KEY_SID', 'TWILIO_API_KEY_SECRET');
    if (value.TWILIO_API_KEY_SECRET && !value.TWILIO_API_KEY_SID)
      need('is required with TWILIO_API_KEY_SECRET', 'TWILIO_API_KEY_SID');
    if (!value.TWILIO_AUTH_TOKEN && !value.TWILIO_API_KEY_SID && !value.TWILIO_API_KEY_SECRET)
      need('is required, or TWILIO_API_KEY_SID and TWILIO_API_KEY_SECRET', 'TWILIO_AUTH_TOKEN');
    else if (!value.TWILIO_AUTH_TOKEN && value.PUBLIC_URL)
      need('is required with PUBLIC_URL: Twilio signs its status callbacks with it', 'TWILIO_AUTH_TOKEN');
    if (!value.TWILIO_FROM && !value.TWILIO_MESSAGING_SERVICE_SID)
      need('is required, or TWILIO_MESSAGING_SERVICE_SID', 'TWILIO_FROM');
    if (value.TWILIO_FROM && value.TWILIO_MESSAGING_SERVICE_SID)
      need('must not be set together with TWILIO_FROM', 'TWILIO_MESSAGING_SERVICE_SID');
    issues.push(...wrongPublicUrl(value.PUBLIC_URL, value.TWILIO_BASE_URL));
  })
  .overwrite((value) => followHost(value, { PAYMENT_SERVICE_URL: 8000 }));
export type TwilioConfig = z.infer<typeof twilioConfigSchema>;

/** With a double of Twilio, PUBLIC_URL may be anywhere. */
function wrongPublicUrl(url: string | undefined, baseUrl: string) {
  const why = url !== undefined && isTwilioItself(baseUrl) && whyNotPublic(url);
  return why ? missing(['PUBLIC_URL'], why) : [];
}

/** Undefined if the service is a sandbox. The schema has checked that nothing else is missing. */
export function twilioAccount(config: TwilioConfig): TwilioAccount | undefined {
  const { TWILIO_ACCOUNT_SID: accountSid, TWILIO_MESSAGING_SERVICE_SID: MessagingServiceSid } = config;
  if (!accountSid) return undefined;
  return {
    accountSid,
    username: config.TWILIO_API_KEY_SID ?? accountSid,
    password: config.TWILIO_API_KEY_SECRET ?? config.TWILIO_AUTH_TOKEN ?? '',
    sender: MessagingServiceSid ? { MessagingServiceSid } : { From: config.TWILIO_FROM ?? '' },
  };
}

/** Undefined if no receipts are requested. */
export function receiptSettings(config: TwilioConfig) {
  const { PUBLIC_URL: publicUrl, TWILIO_AUTH_TOKEN: authToken } = config;
  const { TWILIO_AUTH_TOKEN_SECONDARY: secondary } = config;
  return config.TWILIO_ACCOUNT_SID && publicUrl && authToken
    ? {
        publicUrl,
        authTokens: secondary ? [authToken, secondary] : [authToken],
        paymentServiceUrl: config.PAYMENT_SERVICE_URL,
        serviceTokens: config.SERVICE_TOKEN,
      }
    : undefined;
}
