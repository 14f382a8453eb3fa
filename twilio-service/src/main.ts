import process from 'node:process';
import { startProvider } from 'service-kit/provider/start-provider.ts';
import packageJson from '../package.json' with { type: 'json' };
import { twilioService } from './app.ts';

await startProvider(twilioService, process, packageJson);
