import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { SandboxSettings } from '../../../src/contract/sandbox-settings.ts';
import { buildSandboxApp } from '../fixture.ts';

/** The deadline of a client where an answer comes. */
export const ample = 5000;
/** The deadline where none comes. */
export const short = 150;

/** What a client sees: an answer, a connection that was cut, or nothing before its deadline. */
export type Seen = { status: number; body: string; retryAfter: string | null } | 'cut' | 'silence';

export const cut = 'cut';
export const silence = 'silence';

/** A sandbox behind HTTP, and a client of it. */
export async function serve(settings: Partial<SandboxSettings> = {}) {
  const { app, sandbox } = await buildSandboxApp(settings);
  await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.server.closeAllConnections());
  const { port } = app.server.address() as AddressInfo;

  async function call(
    method: string,
    path: string,
    options: RequestInit = {},
    timeoutMs = ample,
  ): Promise<Seen> {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        ...options,
        signal: AbortSignal.timeout(timeoutMs),
      });
      const { status, headers } = response;
      return { status, body: await response.text(), retryAfter: headers.get('retry-after') };
    } catch (error) {
      return (error as Error).name === 'TimeoutError' ? silence : cut;
    }
  }
  const json = (payload: unknown) => ({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(payload),
  });
  return {
    app,
    sandbox,
    send: (key: string, timeoutMs = ample) =>
      call(
        'POST',
        '/notify',
        {
          ...json({ message: 'Hola', customer_id: '1' }),
          headers: { 'content-type': 'application/json', 'idempotency-key': key },
        },
        timeoutMs,
      ),
    cancel: (key: string) => call('DELETE', '/notify', { headers: { 'idempotency-key': key } }),
    check: (timeoutMs = ample) => call('GET', '/health/upstream', {}, timeoutMs),
    get: (path: string) => call('GET', path),
    set: (payload: unknown) => call('POST', '/sandbox', json(payload)),
    post: (path: string, payload?: unknown) => call('POST', path, payload === undefined ? {} : json(payload)),
  };
}

/** The answer, where one must have come. */
export const answer = (seen: Seen) => {
  if (typeof seen === 'string') throw new Error(`expected an answer, got ${seen}`);
  return seen;
};
export const jsonOf = (seen: Seen) => JSON.parse(answer(seen).body);
