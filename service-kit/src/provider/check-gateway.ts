import { pino } from 'pino';
import { trustExtraAuthorities } from '../client/extra-authorities.ts';
import type { CheckedProvider } from '../live-check/live-check.ts';
import { createAccount } from './account.ts';
import { createSandbox } from './sandbox/sandbox.ts';
import type { ProviderConfig } from './settings.ts';
import { createLiveGateway, type ProviderService } from './start-provider.ts';
import { createUpstreamCheck } from './upstream-check.ts';

/** The provider as its service would reach it, without the service. */
export function openGatewayForCheck<Config extends ProviderConfig>(
  service: ProviderService<Config>,
  config: Config,
): CheckedProvider {
  trustExtraAuthorities(config.NODE_EXTRA_CA_CERTS);
  const { provider } = service;
  const log = pino({ level: 'silent' }); // what it would log is in what is found
  const account = createAccount({ provider, log });
  const live = createLiveGateway(service, config, { account, log });
  const gateway = live ?? createSandbox({ provider });
  const upstream = createUpstreamCheck({
    gateway,
    account: live && account,
    timeoutMs: config.GATEWAY_TIMEOUT_MS,
  });
  return {
    provider,
    readState: async () =>
      live ? { mode: 'live', account: account.report() } : { mode: 'sandbox', account: null },
    check: upstream.health,
    notify: (request, key) => gateway.send({ ...request, idempotency_key: key }),
    close: async () => gateway.close?.(),
  };
}
