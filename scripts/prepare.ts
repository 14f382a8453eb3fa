import process from 'node:process';
import { ConfigurationError } from 'service-kit/http/configuration.ts';
import { loadEnvFile } from 'service-kit/http/env-file.ts';
import { aldeamoCredentials } from '../aldeamo-service/src/config.ts';
import type { PaymentConfig } from '../payment-service/src/config.ts';
import { checkWritable } from '../payment-service/src/store/sqlite/check-writable.ts';
import { twilioAccount } from '../twilio-service/src/config.ts';
import type { Command } from './arguments.ts';
import { showFailover } from './demo.ts';
import { warnOfEnvFile } from './env-warnings.ts';
import { explainBusyPorts } from './ports.ts';
import { readSettings, type Settings } from './settings.ts';

/** Why nothing is started: each line a mistake with its remedy. */
export class Refusal extends Error {}

const file = 'file:';

export interface Prepared {
  settings: Settings;
  warnings: string[];
  /** Run once the services listen. */
  demo?: typeof showFailover;
}

/**
 * Reads the settings from the environment and `.env`, and looks for what would fail later: before a service starts, because the
 * mistakes of all three are then reported at once, and without the noise of a stop.
 *
 * @throws Refusal
 */
export async function prepare(command: Command): Promise<Prepared> {
  const { demo } = command;
  const { settings, warnings } = readOrRefuse();
  const objection = demo && whyNoDemo(settings);
  if (objection) throw new Refusal(`The demo is for sandboxes alone, and ${objection}.`);
  const obstacles = [...(await explainBusyPorts(settings.plans, command)), ...explainStore(settings.payment)];
  if (obstacles.length > 0) throw new Refusal(obstacles.join('\n'));
  return { settings, warnings, ...(demo ? { demo: showFailover } : {}) };
}

function explainStore({ DATABASE_URL }: PaymentConfig): string[] {
  if (!DATABASE_URL.startsWith(file)) return [];
  try {
    checkWritable(DATABASE_URL.slice(file.length));
    return [];
  } catch (error) {
    return [`payment-service cannot start: ${(error as Error).message}`];
  }
}

/**
 * Reads the settings of all services from the environment and `.env`.
 *
 * @throws Refusal
 */
export function readOrRefuse() {
  const warnings: string[] = [];
  try {
    warnings.push(...warnOfEnvFile(loadEnvFile(process.env)));
    return { settings: readSettings(process.env), warnings };
  } catch (error) {
    // A name that is misspelled is often why another setting is missing.
    throw error instanceof ConfigurationError ? new Refusal([error.message, ...warnings].join('\n')) : error;
  }
}

/** Why no demo is shown on this installation; undefined if it can be. It must not send an SMS, or disturb what others rely on. */
function whyNoDemo({ payment, aldeamo, twilio }: Settings): string | undefined {
  const keys = ['API_KEYS', 'ADMIN_API_KEY', 'SERVICE_TOKEN'] as const;
  const live = [aldeamoCredentials(aldeamo) && 'Aldeamo', twilioAccount(twilio) && 'Twilio'].filter(Boolean);
  if (live.length > 0) return `${live.join(' and ')} would send real SMS: remove the credentials from .env`;
  if (keys.some((name) => payment[name])) return `keys are set (${keys.join(', ')}): remove them from .env`;
  if (!payment.DATABASE_URL.startsWith(file))
    return 'DATABASE_URL is a database that others may use: remove it from .env';
  return undefined;
}
