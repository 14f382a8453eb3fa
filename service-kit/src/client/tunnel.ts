import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { buildConnector } from 'undici';
import { startDeadline } from '../deadline.ts';
import { ConnectError, connectErrorOf, proxyErrorOf } from './connect-error.ts';

export interface HttpProxy {
  url: URL;
  /** Sent with CONNECT. */
  headers: Record<string, string>;
}

/**
 * Connects to https:// services through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6), and TLS with the service within the
 * tunnel. The connection that it returns is one to the service itself, so that whether a request was written is known as without a
 * proxy. undici's ProxyAgent is not used, because it puts no deadline on the proxy's answer, and its errors name neither the status
 * nor who failed.
 *
 * @param timeoutMs the deadline over connecting, CONNECT and TLS
 */
export function buildTunnelConnector(proxy: HttpProxy, timeoutMs: number): buildConnector.connector {
  const secure = buildConnector({ timeout: 0, allowH2: false });
  return (options, callback) => {
    const deadline = new AbortController();
    const clearDeadline = startDeadline(timeoutMs, () => deadline.abort());
    openTunnel(proxy, authorityOf(options), deadline.signal)
      .then((tunnel) => startTls(secure, { ...options, httpSocket: tunnel }, deadline.signal))
      .finally(clearDeadline)
      .then(
        (socket) => callback(null, socket),
        (error) => callback(error, null),
      );
  };
}

const authorityOf = ({ host = '', port }: buildConnector.Options) => (port ? host : `${host}:443`);

/** Rejects with a ConnectError whose reason begins with `proxy_`. */
function openTunnel({ url, headers }: HttpProxy, authority: string, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const { request } = url.protocol === 'https:' ? https : http;
  request({
    method: 'CONNECT',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port, // or the protocol's
    path: authority,
    headers: { ...headers, host: authority, connection: 'keep-alive' }, // Node.js would ask to close it
    agent: false,
    signal,
  })
    .on('connect', ({ statusCode = 0 }, socket, head) => {
      socket.on('error', () => {}); // its close says it
      const refusal = refusalOf(statusCode, head);
      if (!refusal) return resolve(socket as Socket);
      socket.destroy();
      reject(refusal);
    })
    .on('error', (error) => {
      const late = 'The proxy opened no tunnel within the deadline.';
      reject(signal.aborted ? new ConnectError('proxy_timeout', late) : proxyErrorOf(error));
    })
    .end();
  return promise;
}

function refusalOf(status: number, head: Buffer): ConnectError | undefined {
  const message = `The proxy answered CONNECT with ${status}.`;
  if (status === 407) return new ConnectError('proxy_authentication_required', message);
  if (status >= 500) return new ConnectError('proxy_failed', message);
  if (status < 200 || status >= 300) return new ConnectError('proxy_refused', message);
  // The service does not speak first in TLS: this is a page of the proxy's own.
  if (head.length > 0) return new ConnectError('proxy_unreadable_answer', 'The proxy opened no tunnel.');
  return undefined;
}

function startTls(
  secure: buildConnector.connector,
  options: buildConnector.Options & { httpSocket: Socket },
  signal: AbortSignal,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const { httpSocket: tunnel } = options;
  const onDeadline = () => {
    reject(new ConnectError('connect_timeout', 'The TLS handshake did not end within the deadline.'));
    tunnel.destroy();
  };
  signal.addEventListener('abort', onDeadline);
  tunnel.once('close', () => reject(new ConnectError('connection_failed', 'The tunnel was closed.')));
  secure(options, (error, socket) => {
    signal.removeEventListener('abort', onDeadline);
    if (error) reject(connectErrorOf(error));
    else resolve(socket as Socket);
  });
  return promise;
}
