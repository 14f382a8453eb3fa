import process from 'node:process';
import type { z } from 'zod';
import { ConfigurationError, readConfiguration } from './http/configuration.ts';
import { loadEnvFile } from './http/env-file.ts';
import type { UpgradeCheck } from './postgres/check-upgrade.ts';

/** By the answer. `roll` in ops/ goes on with 0 alone. */
const exitCodes = { possible: 0, refused: 1, unknown: 2 };

/**
 * `docker compose run --rm --no-deps -T <service> node src/check-upgrade.ts`: whether replicas of this release may start beside those
 * that run. Prints one line; the exit code is 0 if they may, 1 if they must not, and 2 if it is not known.
 */
export async function runUpgradeCheck<Schema extends z.ZodType>(
  schema: Schema,
  check: (config: z.output<Schema>) => UpgradeCheck | Promise<UpgradeCheck>,
): Promise<void> {
  const { answer, reason } = await checkConfigured(schema, check);
  process.exitCode = exitCodes[answer];
  (answer === 'possible' ? process.stdout : process.stderr).write(`${reason}\n`);
}

async function checkConfigured<Schema extends z.ZodType>(
  schema: Schema,
  check: (config: z.output<Schema>) => UpgradeCheck | Promise<UpgradeCheck>,
): Promise<UpgradeCheck> {
  try {
    loadEnvFile(process.env);
    return await check(readConfiguration(schema, process.env));
  } catch (error) {
    if (error instanceof ConfigurationError) return { answer: 'unknown', reason: error.message };
    throw error;
  }
}
