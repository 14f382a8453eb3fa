import { checkProviderUpgrade } from 'service-kit/provider/check-upgrade.ts';
import { aldeamoService } from './app.ts';

await checkProviderUpgrade(aldeamoService);
