import type { RouteOptions } from 'fastify';
import { isBeyondTheLimit } from './admission.ts';
import { httpProblems } from './http-problems.ts';
import { mapValues } from './map-values.ts';
import { commonHeadersOf } from './openapi-headers.ts';
import type { Schemas } from './openapi-schemas.ts';
import {
  Problem,
  type ProblemKinds,
  problemContentType,
  problemResponses,
  problemSchema,
} from './problem.ts';

/**
 * The problems of every server that can happen to a route, by status; the route names its own alone. Settings make no difference, so
 * that a client of a service without keys or limits is also one of a service with them.
 */
export function commonProblems({ method, url, config = {} }: RouteOptions) {
  const { access = ['admin'], acceptsAnyQuery = false } = config;
  const changes = method !== 'GET';
  const all: [name: keyof typeof httpProblems, happens: boolean][] = [
    ['invalid-request', !acceptsAnyQuery],
    ['malformed-request', true],
    ['unauthorized', access !== 'anyone'],
    ['forbidden', access !== 'anyone'],
    ['cross-site', changes],
    ['body-too-large', changes],
    ['path-too-long', url.includes(':')],
    ['unsupported-media-type', changes],
    ['misdirected-request', true],
    ['too-many-requests', access.includes('client')],
    ['internal-error', true],
    ['stopping', url !== '/health/live'],
    ['overloaded', !isBeyondTheLimit(url)],
  ];
  const names = all.filter(([, happens]) => happens).map(([name]) => name);
  return problemResponses(httpProblems, ...names);
}

/** What any request may get instead of a response of its operation, because it reaches none. */
const problemsOfAnyPath = [
  'method-not-allowed',
  'request-timeout',
  'expectation-failed',
  'headers-too-large',
] as const;

export const aboutProblems = `Errors are problem documents (RFC 9457). Any path may also answer ${problemsOfAnyPath
  .map((name) => `${httpProblems[name].status} (\`${name}\`)`)
  .join(', ')}.`;

/** A response that is one of these problems, with what they say and the header fields that they have. */
export function describeProblems(problems: ProblemKinds, schemas: Schemas) {
  const kinds = Object.values(problems);
  return {
    description: Object.entries(problems)
      .map(([name, { meaning }]) => `\`${name}\`: ${meaning}`)
      .join('\n\n'),
    headers: commonHeadersOf(kinds.flatMap(({ headers = {} }) => Object.keys(headers))),
    content: {
      [problemContentType]: {
        schema: schemas.describe(problemSchema, 'output'),
        examples: mapValues(problems, (_kind, name) => ({ $ref: `#/components/examples/${name}` })),
      },
    },
  };
}

/** The examples of problems, as they are sent. */
export const describeExamples = (problems: ProblemKinds) =>
  mapValues(problems, (kind, name) => ({
    summary: kind.detail,
    value: new Problem(name, kind, kind.members).document,
  }));
