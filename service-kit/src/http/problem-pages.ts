import { hash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { httpProblem, httpProblems } from './http-problems.ts';
import { type ProblemKind, type ProblemKinds, problemPath, problemResponses } from './problem.ts';
import type { Server } from './types.ts';

const style =
  'body{max-width:40rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,sans-serif}:root{color-scheme:light dark}';

/** The style alone is allowed, by its hash. */
const policy = `default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const pageSchema = z.string().meta({ example: '<!doctype html>…' });

/** Answers the `type` of each problem of the service with a page about its kind. */
export function registerProblemPages(server: Server, title: string, problems: ProblemKinds): void {
  const pages = new Map(
    Object.entries(problems).map(([name, kind]) => [name, problemPage(title, name, kind)]),
  );
  server.get(
    problemPath(':name'),
    {
      config: { access: 'anyone' },
      schema: {
        operationId: 'getProblemPage',
        tags: ['problems'],
        summary: 'Read what a problem means, and what to do about it',
        params: z.object({ name: z.string().meta({ example: 'invalid-request' }) }),
        response: {
          200: { description: 'A page', content: { 'text/html': { schema: pageSchema } } },
          ...problemResponses(httpProblems, 'not-found'),
        },
      },
    },
    async ({ params: { name } }, reply) => {
      const page = pages.get(name);
      if (page === undefined)
        throw httpProblem('not-found', { detail: 'There is no problem with this name.' });
      return reply
        .header('content-security-policy', policy)
        .type('text/html; charset=utf-8')
        .serializer(String)
        .send(page);
    },
  );
}

const problemPage = (title: string, name: string, { status, detail, meaning, remedy }: ProblemKind) =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name} · ${markUp(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${name}</h1>
<p>${status} ${STATUS_CODES[status]}: ${markUp(detail)}</p>
<h2>What it means</h2>
<p>${markUp(meaning)}</p>
<h2>What to do</h2>
<p>${markUp(remedy)}</p>
</main>
</body>
</html>
`;

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text as HTML, with what stands in backticks as code. */
const markUp = (text: string) =>
  text.replace(/[&<>"]/g, (character) => entities[character] ?? '').replace(/`([^`]*)`/g, '<code>$1</code>');
