import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { readArguments } from 'service-kit/live-check/arguments.ts';
import { checkLive } from 'service-kit/live-check/live-check.ts';
import { openGatewayForCheck } from 'service-kit/provider/check-gateway.ts';
import { aldeamoService } from '../aldeamo-service/src/app.ts';
import { twilioService } from '../twilio-service/src/app.ts';
import { Refusal, readOrRefuse } from './prepare.ts';

/**
 * `npm run check:live`: whether the accounts of the live providers are accepted, by the settings of `.env` and without the services;
 * with `--to` also by an SMS through each. The exit code is 0 if there is a live provider, and all of them are fine.
 */

const usage =
  'Usage: npm run check:live, or with a test SMS through each live provider: npm run check:live -- --to +573001234567';

// .env is the repository's, wherever the command was given.
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
process.exitCode = (await run()) ? 0 : 1;

async function run(): Promise<boolean> {
  try {
    const { settings, warnings } = readOrRefuse();
    const { payment, aldeamo, twilio } = settings;
    // npm keeps the option for itself if the -- before it is forgotten, and npm 11 takes it for an abbreviation.
    const forgotten = process.env.npm_config_to ?? process.env.npm_config_token_description;
    const given = forgotten === undefined ? [] : ['--to', forgotten];
    const command = readArguments([...given, ...process.argv.slice(2)], payment.DEFAULT_COUNTRY);
    if (command === 'wrong') throw new Refusal(usage);
    for (const warning of warnings) process.stderr.write(`${warning}\n`);
    const providers = [
      openGatewayForCheck(aldeamoService, aldeamo),
      openGatewayForCheck(twilioService, twilio),
    ];
    const isFine = await checkLive(providers, command.to, (line) => process.stdout.write(`${line}\n`));
    for (const { close } of providers) await close?.();
    return isFine;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`${error.message}\n`);
    return false;
  }
}
