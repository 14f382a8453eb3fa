export const statusPath = '/webhooks/twilio/status';

/** Where Twilio tells what became of the SMS with this key. */
export const statusCallbackUrl = (publicUrl: string, idempotencyKey: string) =>
  `${publicUrl}${statusPath}?key=${encodeURIComponent(idempotencyKey)}`;
