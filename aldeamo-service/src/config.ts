import { wrongWayOut } from 'service-kit/client/way-out-settings.ts';
import { wrongCredentials } from 'service-kit/http/access-settings.ts';
import { followHost, milliseconds, missing, serviceUrl, share } from 'service-kit/http/configuration.ts';
import { wrongPassword } from 'service-kit/postgres/database-settings.ts';
import { credential } from 'service-kit/provider/credential-settings.ts';
import { deliveryMs, providerSettings } from 'service-kit/provider/settings.ts';
import { z } from 'zod';

export const aldeamoConfigSchema = z
  .object({
    ...providerSettings({ port: 8001 }),
    // No colon, because HTTP Basic ends the name with one.
    ALDEAMO_USERNAME: credential((text) => (text.includes(':') ? 'must not contain a colon' : undefined))
      .meta({ form: 'text without a colon' })
      .optional()
      .describe('The user of the Aldeamo account. With ALDEAMO_PASSWORD it makes aldeamo-service live.')
      .meta({ secret: true }),
    ALDEAMO_PASSWORD: credential()
      .optional()
      .describe('The password of that user. Without both aldeamo-service is a sandbox.')
      .meta({ secret: true }),
    ALDEAMO_BASE_URL: serviceUrl()
      .default('https://apitellit.aldeamo.com')
      .describe("The address of Aldeamo's API."),
    ALDEAMO_LATENCY_MS: milliseconds({ min: 0 })
      .default(200)
      .describe('How long a send takes in the sandbox of Aldeamo.'),
    ALDEAMO_FAILURE_RATE: share()
      .default(0)
      .describe('The share of sends and health checks that fail in the sandbox of Aldeamo.'),
    ALDEAMO_DELIVERY_MS: deliveryMs('Aldeamo'),
    ALDEAMO_LEDGER_FILE: z
      .string()
      .meta({ form: 'a path' })
      .optional()
      .describe(
        'The file in which the sandbox of Aldeamo records the messages that it has accepted, so that they survive a restart. Without it they are in memory. docker compose does not pass it on.',
      ),
  })
  .check(({ value, issues }) => {
    issues.push(...wrongCredentials(value, ['ADMIN_API_KEY', 'SERVICE_TOKEN']));
    const { SENDS_DATABASE_URL: url, SENDS_DATABASE_PASSWORD: password } = value;
    issues.push(...wrongPassword('SENDS_DATABASE_URL', url, password));
    if (value.ALDEAMO_USERNAME || value.ALDEAMO_PASSWORD) issues.push(...wrongWayOut(value));
    if (value.ALDEAMO_USERNAME && !value.ALDEAMO_PASSWORD)
      issues.push(...missing(['ALDEAMO_PASSWORD'], 'is required with ALDEAMO_USERNAME'));
    if (value.ALDEAMO_PASSWORD && !value.ALDEAMO_USERNAME)
      issues.push(...missing(['ALDEAMO_USERNAME'], 'is required with ALDEAMO_PASSWORD'));
  })
  .overwrite((value) => followHost(value, { PAYMENT_SERVICE_URL: 8000 }));
export type AldeamoConfig = z.infer<typeof aldeamoConfigSchema>;

/** Undefined if the service is a sandbox. */
export function aldeamoCredentials({ ALDEAMO_USERNAME, ALDEAMO_PASSWORD }: AldeamoConfig) {
  return ALDEAMO_USERNAME && ALDEAMO_PASSWORD
    ? { username: ALDEAMO_USERNAME, password: ALDEAMO_PASSWORD }
    : undefined;
}
