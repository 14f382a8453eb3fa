import { z } from 'zod';
import type { AccessOptions } from './access.ts';
import type { AdmissionOptions } from './admission.ts';
import { flag, missing, wholeNumber } from './configuration.ts';
import { createCredential } from './credentials.ts';
import { adminKeys, clientKeys, type Key, keyForm, serviceTokens } from './keys.ts';
import { hostNameOf, type SiteOptions } from './site.ts';

/** Host names, which are compared in their canonical form. Neither a port nor a wildcard. */
const hostsSchema = z.string().transform((text, { issues }) =>
  text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const name = hostNameOf(part.trim());
      const isName = name !== undefined && /^[\w-]+(\.[\w-]+)*$/.test(name) && !/:\d*$/.test(part);
      if (!isName) {
        issues.push({ code: 'custom', message: 'must be host names without ports, as a,b', input: text });
        return z.NEVER;
      }
      return name;
    }),
);

/** The environment variables of every service. */
export const accessSettings = () => ({
  ADMIN_API_KEY: adminKeys()
    .meta({ form: `${keyForm}; or name:key,name:key` })
    .optional()
    .describe(
      'The key of operators: for retries, circuit resets, the sandbox controls and metrics, besides everything that clients may do. With a key for each operator the log names who made a request; without a name it is admin. A name may have several keys, and must not be that of a client. In a file each may have a line of its own. Set all keys of the services, or none.',
    )
    .meta({ secret: true, lines: true }),
  SERVICE_TOKEN: serviceTokens()
    .meta({ form: `${keyForm}; two with a comma between them` })
    .optional()
    .describe(
      'The key that the services send to each other, the same in all three. Prometheus can use it as well. Of two, the first one is sent and both are accepted, so that it can be changed without an outage.',
    )
    .meta({ secret: true }),
  ALLOW_ANONYMOUS: flag()
    .default(false)
    .describe(
      'true lets a service without keys listen beyond loopback, for a demo. Keys that are set are still required. It is true in docker-compose.yml, whose ports are on 127.0.0.1.',
    ),
  ALLOWED_HOSTS: hostsSchema
    .meta({ form: 'host names without ports: a,b' })
    .optional()
    .describe(
      'Public names at which browsers reach the services, besides that of PUBLIC_URL. A service without keys accepts no other host names, except addresses, names without a dot, and HOST.',
    ),
  MAX_CONCURRENT_REQUESTS: wholeNumber({ min: 1, max: 100_000 })
    .default(1000)
    .describe('The limit of concurrent requests. Further requests are answered with 503.'),
});

/** The variables of a service with a public API. */
export const clientSettings = () => ({
  API_KEYS: clientKeys()
    .meta({ form: 'name:key,name:key:read' })
    .optional()
    .describe(
      'The keys of the clients of the public API. With :read behind it a key may read, and change nothing. A name may have several keys, of either kind. In a file each may have a line of its own.',
    )
    .meta({ secret: true, lines: true }),
  RATE_LIMIT_PER_MINUTE: wholeNumber({ min: 0, max: 1_000_000 })
    .default(0)
    .describe(
      'The limit of requests per minute of one client: with all keys of its name, or from its address if there are no keys. Each replica counts for itself. Further requests are answered with 429. 0: no limit.',
    ),
});

const keySettings = ['API_KEYS', 'ADMIN_API_KEY', 'SERVICE_TOKEN'] as const;
type KeySetting = (typeof keySettings)[number];

interface AccessSettings extends Partial<Record<KeySetting, Key[] | undefined>> {
  HOST: string;
  ALLOW_ANONYMOUS: boolean;
  ALLOWED_HOSTS?: string[] | undefined;
  PUBLIC_URL?: string | undefined;
  RATE_LIMIT_PER_MINUTE?: number;
  MAX_CONCURRENT_REQUESTS: number;
}

/** The issues of the keys: all that the service has must be set, or none, and then only loopback reaches it. */
export function wrongCredentials(settings: AccessSettings, names: readonly KeySetting[]) {
  const absent = names.filter((name) => settings[name] === undefined);
  if (absent.length === names.length) {
    return settings.ALLOW_ANONYMOUS || isLoopback(settings.HOST)
      ? []
      : missing(absent, 'is required because HOST is not a loopback address, unless ALLOW_ANONYMOUS=true');
  }
  return [
    ...missing(absent, `is required with ${names.filter((name) => !absent.includes(name)).join(' and ')}`),
    ...clashes(settings),
  ];
}

/** A key says who calls, and a name what its keys may do and what is its own, so neither is in two places. */
function clashes(settings: AccessSettings) {
  const keys = keysOf(settings);
  return keys.flatMap(({ setting, entry, name, role, key }, index) => {
    const earlier = keys.slice(0, index);
    const sameKey = earlier.find((other) => other.key === key);
    const sameName = earlier.find((other) => other.name === name && other.role !== role);
    const must = entry ? `${entry} must` : 'must';
    return [
      ...(sameKey
        ? missing([setting], `${must} have a key of its own, and not that of ${placeOf(sameKey)}`)
        : []),
      ...(sameName
        ? missing([setting], `${must} not have the name of ${placeOf(sameName)}: a name has one role`)
        : []),
    ];
  });
}

type PlacedKey = ReturnType<typeof keysOf>[number];

const keysOf = (settings: AccessSettings) =>
  keySettings.flatMap((setting) => (settings[setting] ?? []).map((key) => ({ ...key, setting })));

const placeOf = ({ entry, setting }: PlacedKey) => (entry ? `${entry} of ${setting}` : setting);

const isLoopback = (host: string) => /^(127(\.\d{1,3}){3}|::1|localhost)$/i.test(host);

/** The authentication, authorization, names and limits of a service with this configuration. */
export const accessOptions = (config: AccessSettings): AccessOptions & AdmissionOptions & SiteOptions => ({
  host: config.HOST,
  publicHosts: [
    ...(config.ALLOWED_HOSTS ?? []),
    ...(config.PUBLIC_URL ? [hostNameOf(new URL(config.PUBLIC_URL).host) ?? ''] : []),
  ],
  credentials: keysOf(config).map((key) => createCredential(key.name, key.role, key.key, key)),
  rateLimitPerMinute: config.RATE_LIMIT_PER_MINUTE ?? 0,
  maxConcurrentRequests: config.MAX_CONCURRENT_REQUESTS,
});
