/**
 * There is no connection to the service, so nothing was written to it. The code of the system or of OpenSSL is only on its `cause`,
 * because undici connects again after some codes.
 */
export class ConnectError extends Error {
  /** A reason for an attempt, such as `connection_refused`, `tls_certificate_expired` or `proxy_refused`. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export const connectErrorOf = (error: Error): ConnectError =>
  error instanceof ConnectError ? error : new ConnectError(reasonOf(error), error.message, { cause: error });

/** An error of the connection to the proxy, before the proxy has connected to the service. */
export function proxyErrorOf(error: Error): ConnectError {
  const reason = reasonOf(error);
  return new ConnectError(proxyReasonOf(reason, codeOf(error)), error.message, { cause: error });
}

function proxyReasonOf(reason: string, code: string): string {
  if (reason === 'overloaded') return reason;
  if (code.startsWith('HPE_')) return 'proxy_unreadable_answer';
  return reason.startsWith('tls_') ? `proxy_${reason}` : 'proxy_unreachable';
}

export const codeOf = (error: unknown): string =>
  String((error as { code?: unknown } | undefined)?.code ?? '');

const reasons: Record<string, string> = {
  ECONNREFUSED: 'connection_refused',
  ENOTFOUND: 'dns_failure',
  EAI_AGAIN: 'dns_failure',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  ETIMEDOUT: 'connect_timeout',
  EMFILE: 'overloaded',
  ENFILE: 'overloaded',
  EPROTO: 'tls_handshake_failed',
  CERT_HAS_EXPIRED: 'tls_certificate_expired',
  CERT_NOT_YET_VALID: 'tls_certificate_not_yet_valid',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_certificate_of_another_host',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_certificate_self_signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls_ca_unknown',
  UNABLE_TO_GET_ISSUER_CERT: 'tls_ca_unknown',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls_ca_unknown',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls_ca_unknown',
};

function reasonOf(error: Error): string {
  const code = codeOf(error);
  const reason = reasons[code];
  if (reason) return reason;
  // What is left of a system's (ECONNRESET), of undici and of the parser. All others are OpenSSL's, such as CERT_REVOKED.
  if (/^(|E[A-Z0-9]+|(UND|ABORT|HPE)_.*)$/.test(code)) return 'connection_failed';
  return `tls_${code
    .replace(/^ERR_(SSL|TLS)_/, '')
    .toLowerCase()
    .replace(/\W+/g, '_')}`;
}
