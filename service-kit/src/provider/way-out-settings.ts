import { z } from 'zod';
import { hasCertificates } from '../client/extra-authorities.ts';
import type { ProxyOptions } from '../client/proxy.ts';

/** The environment variables of the way to the provider's API. */
export const wayOutSettings = () => ({
  HTTPS_PROXY: z
    .string()
    // As curl reads it.
    .transform((proxy) => (proxy.includes('://') ? proxy : `http://${proxy}`))
    .pipe(z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL', abort: true }))
    .refine(hasNoPath, 'must have no path')
    .refine(hasReadableUser, 'must have a user and a password that are percent-encoded')
    .meta({ form: 'an http:// or https:// URL without a path, perhaps with user:password@' })
    .optional()
    .describe(
      "Live only: the HTTP proxy for calls to the provider's API, if that has an https:// URL. The calls between the services, to a database and to the collector never go through it. Here https_proxy counts, too, and before it.",
    ),
  NO_PROXY: z
    .string()
    .meta({ form: 'hosts, subnets or *: a,b' })
    .optional()
    .describe(
      'Live only: the hosts that are called without HTTPS_PROXY. A name stands for its subdomains, too. Here no_proxy counts, too, and before it.',
    ),
  NODE_EXTRA_CA_CERTS: z
    .string()
    .refine(hasCertificates, 'must be a file with certificates in PEM that this user may read')
    .meta({ form: 'a path' })
    .optional()
    .describe(
      'A file with the certificates (PEM) of authorities to trust besides those of Node.js, such as that of a proxy that inspects TLS.',
    ),
});

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

interface WayOutConfig {
  HTTPS_PROXY?: string | undefined;
  NO_PROXY?: string | undefined;
}

export const proxyOptions = ({
  HTTPS_PROXY: url,
  NO_PROXY: except = '',
}: WayOutConfig): ProxyOptions | undefined => (url === undefined ? undefined : { url, except });
