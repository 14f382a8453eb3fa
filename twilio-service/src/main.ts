import process from 'node:process';
import { startService } from 'service-kit/http/start.ts';
import packageJson from '../package.json' with { type: 'json' };
import { buildTwilioApp } from './app.ts';
import { twilioConfigSchema } from './config.ts';

await startService({
  name: packageJson.name,
  process,
  configSchema: twilioConfigSchema,
  build: (config, logger, metrics) => buildTwilioApp(config, logger, packageJson.version, metrics),
});
