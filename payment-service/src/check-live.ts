import process from 'node:process';
import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { serviceHeaders } from 'service-kit/http/credentials.ts';
import { loadEnvFile } from 'service-kit/http/env-file.ts';
import { readArguments } from 'service-kit/live-check/arguments.ts';
import { checkLive } from 'service-kit/live-check/live-check.ts';
import { paymentConfigSchema } from './config.ts';
import { createProviderClient } from './providers/provider-client.ts';

/**
 * `docker compose exec payment-service node src/check-live.ts`: whether the accounts of the live providers are accepted, by what
 * their running services find; with `--to` also by an SMS through each. The exit code is 0 if there is a live provider, and all of
 * them are fine.
 */

const usage =
  'Usage: node src/check-live.ts, or with a test SMS through each live provider: node src/check-live.ts --to +573001234567';

process.exitCode = (await run()) ? 0 : 1;

async function run(): Promise<boolean> {
  try {
    loadEnvFile(process.env);
    const config = readConfiguration(paymentConfigSchema, process.env);
    const command = readArguments(process.argv.slice(2), config.DEFAULT_COUNTRY);
    if (command === 'wrong') return refuse(usage);
    const limits = {
      timeoutMs: config.PROVIDER_TIMEOUT_MS,
      maxConcurrency: 1,
      headers: serviceHeaders(config.SERVICE_TOKEN),
      longestSince: () => 0, // no attempt is asked for
    };
    const urls = { Aldeamo: config.ALDEAMO_SERVICE_URL, Twilio: config.TWILIO_SERVICE_URL };
    const providers = (['Aldeamo', 'Twilio'] as const).map((provider) => ({
      provider,
      ...createProviderClient({ provider, url: urls[provider], ...limits }),
    }));
    const isFine = await checkLive(providers, command.to, (line) => process.stdout.write(`${line}\n`));
    for (const { close } of providers) await close();
    return isFine;
  } catch (error) {
    if (error instanceof ConfigurationError) return refuse(error.message);
    throw error;
  }
}

function refuse(reason: string): false {
  process.stderr.write(`${reason}\n`);
  return false;
}
