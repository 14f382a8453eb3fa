import { z } from 'zod';
import { hasCertificates } from './extra-authorities.ts';
import type { ProxyOptions } from './proxy.ts';

/**
 * The environment variables of the way to the Internet: to a provider's API, and to the merchant's webhook endpoint. What they hold is
 * checked by `wrongWayOut`, and only in a service that calls out: a shell may have them for other programs, and a sandbox makes no use
 * of them.
 */
export const wayOutSettings = () => ({
  HTTPS_PROXY: z
    .string()
    .trim()
    .meta({ form: 'an http:// or https:// URL without a path, perhaps with user:password@' })
    .optional()
    .describe(
      'Live, or with WEBHOOK_URL, only: the HTTP proxy for calls to the APIs of the providers and to WEBHOOK_URL, if they have an https:// URL. The calls between the services, to a database and to the collector never go through it. Here https_proxy counts, too, and before it.',
    )
    .meta({ secret: true }),
  NO_PROXY: z
    .string()
    .meta({ form: 'hosts, subnets or *: a,b' })
    .optional()
    .describe(
      'Live, or with WEBHOOK_URL, only: the hosts that are called without HTTPS_PROXY. A name stands for its subdomains, too. Here no_proxy counts, too, and before it.',
    ),
  NODE_EXTRA_CA_CERTS: z
    .string()
    .meta({ form: 'a path' })
    .optional()
    .describe(
      'A file with the certificates (PEM) of authorities to trust besides those of Node.js, such as that of a proxy that inspects TLS. docker compose does not pass it on, because a shell may have it with a file that no container can read: set CONTAINER_EXTRA_CA_CERTS there.',
    ),
});

interface WayOutConfig {
  HTTPS_PROXY?: string | undefined;
  NO_PROXY?: string | undefined;
  NODE_EXTRA_CA_CERTS?: string | undefined;
}

const rules = z.object({
  HTTPS_PROXY: z
    .string()
    .transform(withScheme)
    .pipe(z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL', abort: true }))
    .refine(hasNoPath, 'must have no path')
    .refine(hasReadableUser, 'must have a user and a password that are percent-encoded')
    .optional(),
  NODE_EXTRA_CA_CERTS: z
    .string()
    .refine(hasCertificates, 'must be a file with certificates in PEM that this user may read')
    .optional(),
});

/** The issues of the way out, for the check of a service that calls out. Without the values, because a proxy's has a password. */
export const wrongWayOut = (config: WayOutConfig) =>
  (rules.safeParse(config).error?.issues ?? []).map(({ path, message }) => ({
    code: 'custom' as const,
    path,
    message,
    input: undefined,
  }));

/** As curl reads it. */
function withScheme(proxy: string): string {
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

function hasNoPath(url: string): boolean {
  const { pathname, search, hash } = new URL(url);
  return `${pathname}${search}${hash}` === '/';
}

function hasReadableUser(url: string): boolean {
  const { username, password } = new URL(url);
  try {
    return decodeURIComponent(username + password) !== undefined;
  } catch {
    return false;
  }
}

export const proxyOptions = ({
  HTTPS_PROXY,
  NO_PROXY: except = '',
}: WayOutConfig): ProxyOptions | undefined =>
  HTTPS_PROXY === undefined ? undefined : { url: withScheme(HTTPS_PROXY), except };
