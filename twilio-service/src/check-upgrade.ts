import { checkProviderUpgrade } from 'service-kit/provider/check-upgrade.ts';
import { twilioService } from './app.ts';

await checkProviderUpgrade(twilioService);
