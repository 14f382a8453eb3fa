import { proxyOptions, wayOutSettings, wrongWayOut } from 'service-kit/client/way-out-settings.ts';
import { flag, milliseconds, missing, wholeNumber } from 'service-kit/http/configuration.ts';
import { z } from 'zod';
import type { EventRecording } from '../store/events.ts';
import type { EndpointOptions } from './endpoint.ts';
import { whyUrlRefused } from './endpoint-url.ts';
import { secretsOf, wrongSecrets } from './secrets.ts';

const urlSchema = z.string().trim();

const secretsSchema = z.string().transform((text, { issues }) => {
  for (const message of wrongSecrets(text)) issues.push({ code: 'custom', message, input: text });
  return secretsOf(text);
});

/** The environment variables of the events of payments, and of the way to the endpoint that gets them. */
export const webhookSettings = () => ({
  WEBHOOK_URL: urlSchema
    .meta({ form: 'an https:// URL, or http:// on loopback' })
    .optional()
    .describe(
      'The endpoint of the merchant to which each event is sent: each change of a notification_status, and each possible duplicate. Without it nothing is sent.',
    )
    .meta({ secret: true }),
  WEBHOOK_SECRETS: secretsSchema
    .meta({ form: 'whsec_ and the base64 of 24 to 64 bytes; two with a comma between them' })
    .optional()
    .describe(
      'The secret with which the requests to WEBHOOK_URL are signed, or two while one replaces the other. In a file each may have a line of its own.',
    )
    .meta({ secret: true, lines: true }),
  WEBHOOK_ALLOW_PRIVATE: flag()
    .default(false)
    .describe(
      'true lets WEBHOOK_URL be, or resolve to, an address of a private network. Otherwise only public addresses are connected to, and loopback if it is written so. What a name resolves to behind HTTPS_PROXY is left to that proxy.',
    ),
  WEBHOOK_TIMEOUT_MS: milliseconds().default(15_000).describe('The deadline of one request to WEBHOOK_URL.'),
  WEBHOOK_CONCURRENCY: wholeNumber({ min: 1, max: 1000 })
    .default(32)
    .describe('The limit of concurrent requests to WEBHOOK_URL.'),
  EVENTS: flag()
    .default(false)
    .describe('true records the events for GET /events, also without WEBHOOK_URL. With it they always are.'),
  EVENTS_RETENTION_MS: wholeNumber({ min: 3_600_000, max: 315_576_000_000 })
    .default(2_592_000_000)
    .describe(
      'How long events are kept, delivered or not, up to ten years. A dead letter can be replayed as long.',
    ),
  ...wayOutSettings(),
});

export type WebhookSettings = z.output<z.ZodObject<ReturnType<typeof webhookSettings>>>;

/** The issues of the endpoint beside other settings. */
export function wrongWebhooks(settings: WebhookSettings) {
  const { WEBHOOK_URL, WEBHOOK_SECRETS, WEBHOOK_ALLOW_PRIVATE } = settings;
  if (WEBHOOK_URL === undefined)
    return WEBHOOK_SECRETS ? missing(['WEBHOOK_URL'], 'is required with WEBHOOK_SECRETS') : [];
  const refusal = whyUrlRefused(WEBHOOK_URL, WEBHOOK_ALLOW_PRIVATE);
  return [
    ...(refusal ? missing(['WEBHOOK_URL'], refusal) : []),
    ...(WEBHOOK_SECRETS ? [] : missing(['WEBHOOK_SECRETS'], 'is required with WEBHOOK_URL')),
    ...wrongWayOut(settings),
  ];
}

export function recordingOf({ WEBHOOK_URL, EVENTS }: WebhookSettings): EventRecording {
  if (WEBHOOK_URL !== undefined) return 'webhooks';
  return EVENTS ? 'feed' : 'off';
}

/** undefined without an endpoint. */
export const endpointOptions = (settings: WebhookSettings): Omit<EndpointOptions, 'log'> | undefined =>
  settings.WEBHOOK_URL === undefined
    ? undefined
    : {
        url: settings.WEBHOOK_URL,
        secrets: settings.WEBHOOK_SECRETS ?? [],
        timeoutMs: settings.WEBHOOK_TIMEOUT_MS,
        concurrency: settings.WEBHOOK_CONCURRENCY,
        allowPrivate: settings.WEBHOOK_ALLOW_PRIVATE,
        proxy: proxyOptions(settings),
      };
