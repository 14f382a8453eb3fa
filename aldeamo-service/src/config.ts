import { accessSettings, wrongCredentials } from 'service-kit/http/access-settings.ts';
import {
  gatewaySettings,
  milliseconds,
  missing,
  serviceSettings,
  serviceUrl,
  share,
} from 'service-kit/http/configuration.ts';
import { z } from 'zod';

export const aldeamoConfigSchema = z
  .object({
    ...serviceSettings({ port: 8001 }),
    ...accessSettings(),
    ...gatewaySettings(),
    /** Both make it live; without them it is the sandbox. HTTP Basic has no way to write a colon in the user's name. */
    ALDEAMO_USERNAME: z
      .string()
      .regex(/^[^:]*$/, 'must not contain a colon')
      .optional(),
    ALDEAMO_PASSWORD: z.string().optional(),
    ALDEAMO_BASE_URL: serviceUrl().default('https://apitellit.aldeamo.com'),
    ALDEAMO_LATENCY_MS: milliseconds({ min: 0 }).default(200),
    ALDEAMO_FAILURE_RATE: share().default(0),
    /** Where the sandbox keeps what it accepted over a restart; only in memory if not set. */
    ALDEAMO_LEDGER_FILE: z.string().optional(),
  })
  .check(({ value, issues }) => {
    issues.push(...wrongCredentials(value, ['ADMIN_API_KEY', 'SERVICE_TOKEN']));
    if (value.ALDEAMO_USERNAME && !value.ALDEAMO_PASSWORD)
      issues.push(...missing(['ALDEAMO_PASSWORD'], 'is required with ALDEAMO_USERNAME'));
    if (value.ALDEAMO_PASSWORD && !value.ALDEAMO_USERNAME)
      issues.push(...missing(['ALDEAMO_USERNAME'], 'is required with ALDEAMO_PASSWORD'));
  });
export type AldeamoConfig = z.infer<typeof aldeamoConfigSchema>;

/** The user and the password of Aldeamo's API, or undefined: then nothing is sent for real. */
export function aldeamoCredentials({ ALDEAMO_USERNAME, ALDEAMO_PASSWORD }: AldeamoConfig) {
  return ALDEAMO_USERNAME && ALDEAMO_PASSWORD
    ? { username: ALDEAMO_USERNAME, password: ALDEAMO_PASSWORD }
    : undefined;
}
