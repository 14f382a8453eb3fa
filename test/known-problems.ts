import type { InjectOptions } from 'fastify';
import { type ProblemKinds, problemContentType, problemPath } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { expect } from 'vitest';

/**
 * Has each problem that a test gets from the server be of one of these kinds, as it is listed there. Their pages have a test of
 * their own.
 */
export function requireKnownProblems(server: Server, problems: ProblemKinds): void {
  const kinds = new Map(Object.entries(problems).map(([name, kind]) => [problemPath(name), kind]));
  const inject = server.inject.bind(server) as (request?: InjectOptions | string) => unknown;
  const checked = async (request: InjectOptions | string) => {
    const response = (await inject(request)) as Awaited<ReturnType<typeof server.inject>>;
    const isText = typeof request === 'string' || !request.payloadAsStream;
    if (response.headers['content-type'] === problemContentType && isText && response.body !== '')
      expectKnown(response.json(), kinds);
    return response;
  };
  server.inject = ((request) => (request === undefined ? inject() : checked(request))) as Server['inject'];
}

function expectKnown(
  { type, status }: { type: string; status: number },
  kinds: Map<string, { status: number }>,
) {
  expect(kinds.keys().toArray()).toContain(type);
  if (type !== problemPath('refused')) expect(status, type).toBe(kinds.get(type)?.status);
}

/** Expects a page for each of the problems, and none for another name. */
export async function expectPages(server: Server, problems: ProblemKinds): Promise<void> {
  for (const [name, { status }] of Object.entries(problems)) {
    const page = await server.inject(problemPath(name));
    expect([page.statusCode, page.headers['content-type']], name).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.body).toContain(`<h1>${name}</h1>\n<p>${status} `);
  }
  for (const name of ['unheard-of', 'constructor', '__proto__'])
    expect((await server.inject(problemPath(name))).statusCode, name).toBe(404);
}
