import process from 'node:process';
import { startService } from 'service-kit/http/start.ts';
import packageJson from '../package.json' with { type: 'json' };
import { buildAldeamoApp } from './app.ts';
import { aldeamoConfigSchema } from './config.ts';

await startService({
  name: packageJson.name,
  process,
  configSchema: aldeamoConfigSchema,
  build: (config, logger, metrics) => buildAldeamoApp(config, logger, packageJson.version, metrics),
});
