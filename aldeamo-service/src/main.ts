import process from 'node:process';
import { startProvider } from 'service-kit/provider/start-provider.ts';
import packageJson from '../package.json' with { type: 'json' };
import { aldeamoService } from './app.ts';

await startProvider(aldeamoService, process, packageJson);
