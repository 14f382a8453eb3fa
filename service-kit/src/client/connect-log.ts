import type { FastifyBaseLogger } from 'fastify';
import { type ConnectError, codeOf } from './connect-error.ts';

export type ConnectLog = Pick<FastifyBaseLogger, 'error'>;

interface ConnectLogOptions {
  /** The host and the port of the service, and those of the proxy. */
  host: string;
  proxy: string | undefined;
  log: ConnectLog | undefined;
  /** A monotonic clock in ms, which tests replace. */
  now?: () => number;
}

/** How long a fault is not logged again, in ms: one line for all sends that meet it, and a reminder while it lasts. */
const quietMs = 600_000;

/**
 * Logs the faults of TLS and of the proxy, with their code and what to do. Others, such as a refused connection, come and go without
 * a person, and are on the attempts.
 */
export function createConnectLog({
  host,
  proxy,
  log,
  now = () => performance.now(),
}: ConnectLogOptions): (error: ConnectError) => void {
  const loggedAt = new Map<string, number>();
  return ({ reason, message, cause }) => {
    if (!log || !/^(tls|proxy)_/.test(reason)) return;
    const at = now();
    if (at - (loggedAt.get(reason) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
    loggedAt.set(reason, at);
    const fields = { host, proxy, reason, code: codeOf(cause) || undefined, detail: message.trim() };
    log.error(fields, `no connection: ${remedyOf(reason)}`);
  };
}

/** Of the first pattern that matches. */
const remedies: [reasons: RegExp, remedy: string][] = [
  [
    /tls_(ca_unknown|certificate_self_signed)$/,
    'the certificate is signed by no CA that this machine trusts; if it is that of your own proxy, set NODE_EXTRA_CA_CERTS, or CONTAINER_EXTRA_CA_CERTS with docker compose, to a file with its CA',
  ],
  [/tls_certificate_expired$/, 'the certificate has expired; the operator of the host has to renew it'],
  [/tls_certificate_not_yet_valid$/, 'the certificate is not valid yet; check the clock of this machine'],
  [
    /tls_certificate_of_another_host$/,
    'the certificate is that of another host; check the address, and a proxy or a DNS entry that leads elsewhere',
  ],
  [/tls_/, 'the TLS handshake failed; check that the address is one for https, with the right port'],
  [
    /^proxy_authentication_required$/,
    'the proxy wants a user and a password: HTTPS_PROXY=http://user:password@host:port',
  ],
  [
    /^proxy_refused$/,
    'the proxy does not allow this host and port; have it allowed, or add the host to NO_PROXY',
  ],
  [/^proxy_failed$/, 'the proxy does not reach the host; see its log'],
  [
    /^proxy_unreadable_answer$/,
    'what HTTPS_PROXY names does not answer as a proxy; check its scheme and port',
  ],
  [/^proxy_/, 'the proxy cannot be reached; check HTTPS_PROXY, or add the host to NO_PROXY'],
];

/** What to do about a fault of TLS or of the proxy; empty for another reason. */
export const remedyOf = (reason: string) => remedies.find(([reasons]) => reasons.test(reason))?.[1] ?? '';
