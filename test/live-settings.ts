import type { AldeamoUpstream } from './doubles/aldeamo-upstream.ts';
import type { TwilioUpstream } from './doubles/twilio-upstream.ts';

/** The settings with which aldeamo-service sends through this server. */
export const aldeamoSettings = ({ url, username, password }: AldeamoUpstream): Record<string, string> => ({
  ALDEAMO_BASE_URL: url,
  ALDEAMO_USERNAME: username,
  ALDEAMO_PASSWORD: password,
});

/** The settings with which twilio-service sends through this server. */
export const twilioSettings = ({ url, accountSid, authToken }: TwilioUpstream): Record<string, string> => ({
  TWILIO_BASE_URL: url,
  TWILIO_ACCOUNT_SID: accountSid,
  TWILIO_AUTH_TOKEN: authToken,
  TWILIO_FROM: '+15005550006',
});

/** The settings with which the trio sends through these servers, as it would through the providers themselves. */
export const liveSettings = (aldeamo: AldeamoUpstream, twilio: TwilioUpstream): Record<string, string> => ({
  ...aldeamoSettings(aldeamo),
  ...twilioSettings(twilio),
  PUBLIC_URL: 'https://sms.example.com',
});

const longestMs = String(2 ** 31 - 1);

/** A retry comes at any time within the base, so that a short one would by chance fall into the test that counts sends. */
export const withoutRetries = {
  NOTIFICATION_RETRY_BASE_MS: longestMs,
  NOTIFICATION_RETRY_MAX_MS: longestMs,
};
