import { z } from 'zod';
import type { AccessOptions } from './access.ts';
import type { AdmissionOptions } from './admission.ts';
import { flag, missing, wholeNumber } from './configuration.ts';
import { createCredential } from './credentials.ts';
import { hostNameOf, type SiteOptions } from './site.ts';

const minKeyLength = 16;

/** A bearer token as RFC 6750 has it, and too long to be guessed. */
const keySchema = z
  .string()
  .min(minKeyLength, { error: `must have at least ${minKeyLength} characters`, abort: true })
  .regex(/^[\w.~+/-]+=*$/, 'must consist of letters, digits and - . _ ~ + /')
  .meta({ form: `at least ${minKeyLength} letters, digits and - . _ ~ + /` });

interface Client {
  name: string;
  key: string;
}

const clientsSchema = z.string().transform((text, { issues }): Client[] => {
  const clients = text.split(/,|\r?\n/).map((entry) => {
    const [name = '', ...key] = entry.trim().split(':');
    return { name, key: key.join(':') };
  });
  for (const [index, client] of clients.entries())
    for (const message of faultsOf(client, index + 1)) issues.push({ code: 'custom', message, input: text });
  return clients;
});

/** In words, and never with the key. What is as long as a key is not repeated as a name, because the two may be the wrong way round. */
function faultsOf({ name, key }: Client, position: number): string[] {
  if (!/^[\w-]{1,64}$/.test(name) || key === '')
    return [`entry ${position} must be name:key, with a name of at most 64 letters, digits, - and _`];
  if (name === 'admin' || name === 'service')
    return [`the name of entry ${position} must be neither admin nor service`];
  const entry = name.length < minKeyLength ? `entry ${position} (${name})` : `entry ${position}`;
  const { error } = keySchema.safeParse(key);
  return (error?.issues ?? []).map(({ message }) => `the key of ${entry} ${message}`);
}

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
  ADMIN_API_KEY: keySchema
    .optional()
    .describe(
      'The key of operators: for retries, circuit resets, the sandbox controls and metrics, besides everything that clients may do. Set all keys of the services, or none.',
    )
    .meta({ secret: true }),
  SERVICE_TOKEN: keySchema
    .optional()
    .describe(
      'The key that the services send to each other, the same in all three. Prometheus can use it as well.',
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

/** The variables of a service with a public API. A name may have several keys, so that they can be rotated. */
export const clientSettings = () => ({
  API_KEYS: clientsSchema
    .meta({ form: 'name:key,name:key' })
    .optional()
    .describe(
      'The keys of the clients of the public API. A name may have several keys while they are rotated. In a file each may have a line of its own.',
    )
    .meta({ secret: true, lines: true }),
  RATE_LIMIT_PER_MINUTE: wholeNumber({ min: 0, max: 1_000_000 })
    .default(0)
    .describe(
      'The limit of requests per minute with one key. Further requests are answered with 429. 0: no limit.',
    ),
});

interface AccessSettings {
  HOST: string;
  ALLOW_ANONYMOUS: boolean;
  ALLOWED_HOSTS?: string[] | undefined;
  PUBLIC_URL?: string | undefined;
  API_KEYS?: z.output<typeof clientsSchema> | undefined;
  ADMIN_API_KEY?: string | undefined;
  SERVICE_TOKEN?: string | undefined;
  RATE_LIMIT_PER_MINUTE?: number;
  MAX_CONCURRENT_REQUESTS: number;
}

/** The issues of the keys: all that the service has must be set, or none, and then only loopback reaches it. */
export function wrongCredentials(
  settings: AccessSettings,
  names: readonly ('API_KEYS' | 'ADMIN_API_KEY' | 'SERVICE_TOKEN')[],
) {
  const absent = names.filter((name) => settings[name] === undefined);
  if (absent.length === names.length) {
    return settings.ALLOW_ANONYMOUS || isLoopback(settings.HOST)
      ? []
      : missing(absent, 'is required because HOST is not a loopback address, unless ALLOW_ANONYMOUS=true');
  }
  return [
    ...missing(absent, `is required with ${names.filter((name) => !absent.includes(name)).join(' and ')}`),
    ...repeatedKeys(settings),
  ];
}

/** Each key tells who calls, so no two may be the same. */
function repeatedKeys({ API_KEYS = [], ADMIN_API_KEY, SERVICE_TOKEN }: AccessSettings) {
  const keys = [
    ...API_KEYS.map(({ name, key }) => ({
      setting: 'API_KEYS',
      label: `the key of ${name} in API_KEYS`,
      key,
    })),
    { setting: 'ADMIN_API_KEY', label: 'ADMIN_API_KEY', key: ADMIN_API_KEY },
    { setting: 'SERVICE_TOKEN', label: 'SERVICE_TOKEN', key: SERVICE_TOKEN },
  ].filter(({ key }) => key !== undefined);
  return keys.flatMap(({ setting, key }, index) => {
    const earlier = keys.slice(0, index).find((each) => each.key === key);
    return earlier ? missing([setting], `must have a key of its own, and not ${earlier.label}`) : [];
  });
}

const isLoopback = (host: string) => /^(127(\.\d{1,3}){3}|::1|localhost)$/i.test(host);

/** The authentication, authorization, names and limits of a service with this configuration. */
export const accessOptions = (config: AccessSettings): AccessOptions & AdmissionOptions & SiteOptions => ({
  host: config.HOST,
  publicHosts: [
    ...(config.ALLOWED_HOSTS ?? []),
    ...(config.PUBLIC_URL ? [hostNameOf(new URL(config.PUBLIC_URL).host) ?? ''] : []),
  ],
  credentials: [
    ...(config.API_KEYS ?? []).map(({ name, key }) => createCredential(name, 'client', key)),
    ...(config.ADMIN_API_KEY ? [createCredential('admin', 'admin', config.ADMIN_API_KEY)] : []),
    ...(config.SERVICE_TOKEN ? [createCredential('service', 'service', config.SERVICE_TOKEN)] : []),
  ],
  rateLimitPerMinute: config.RATE_LIMIT_PER_MINUTE ?? 0,
  maxConcurrentRequests: config.MAX_CONCURRENT_REQUESTS,
});
