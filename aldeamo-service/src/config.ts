import { wrongCredentials } from 'service-kit/http/access-settings.ts';
import { milliseconds, missing, serviceUrl, share } from 'service-kit/http/configuration.ts';
import { providerSettings } from 'service-kit/provider/settings.ts';
import { z } from 'zod';

export const aldeamoConfigSchema = z
  .object({
    ...providerSettings({ port: 8001 }),
    /** Both make it live; without them it is a sandbox. No colon, because HTTP Basic ends the name with one. */
    ALDEAMO_USERNAME: z
      .string()
      .regex(/^[^:]*$/, 'must not contain a colon')
      .optional(),
    ALDEAMO_PASSWORD: z.string().optional(),
    ALDEAMO_BASE_URL: serviceUrl().default('https://apitellit.aldeamo.com'),
    ALDEAMO_LATENCY_MS: milliseconds({ min: 0 }).default(200),
    ALDEAMO_FAILURE_RATE: share().default(0),
    /** The file of the sandbox's ledger, which then outlives a restart; in memory only if not set. */
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

/** Undefined if the service is a sandbox. */
export function aldeamoCredentials({ ALDEAMO_USERNAME, ALDEAMO_PASSWORD }: AldeamoConfig) {
  return ALDEAMO_USERNAME && ALDEAMO_PASSWORD
    ? { username: ALDEAMO_USERNAME, password: ALDEAMO_PASSWORD }
    : undefined;
}
