import { startAldeamoUpstream } from '../../test/doubles/aldeamo-upstream.ts';
import { disposing, openGateway, startApp as startProviderApp } from '../../test/provider-fixture.ts';
import { type AldeamoOptions, createAldeamoGateway } from '../src/aldeamo-gateway.ts';
import { aldeamoService } from '../src/app.ts';

/** The gateway, before an Aldeamo. */
export async function startGateway(options: Partial<AldeamoOptions> = {}) {
  const upstream = await disposing(startAldeamoUpstream());
  const { url, username, password } = upstream;
  const opened = openGateway('Aldeamo', (limits) =>
    createAldeamoGateway({ url, username, password, ...limits, ...options }),
  );
  return { upstream, ...opened };
}

export const startApp = (env: Record<string, string> = {}) => startProviderApp(aldeamoService, env);

/** The service, live, before an Aldeamo. */
export async function startLiveApp(env: Record<string, string> = {}) {
  const upstream = await disposing(startAldeamoUpstream());
  const live = {
    ALDEAMO_USERNAME: upstream.username,
    ALDEAMO_PASSWORD: upstream.password,
    ALDEAMO_BASE_URL: upstream.url,
  };
  return { upstream, ...(await startApp({ ...live, ...env })) };
}
