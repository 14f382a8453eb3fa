import { z } from 'zod';
import { mapValues } from './map-values.ts';
import type { Schemas } from './openapi-schemas.ts';

/** The header fields of the responses of many routes, which a document describes once. */
const commonHeaders: Record<string, z.ZodType> = {
  'x-request-id': z.string().meta({
    description: 'The id of the request, as the log has it: that which the request came with, or a new one',
    example: '6f1c7a4e-3f0b-4f43-9a55-0c1f6a2d9b1e',
  }),
  'retry-after': z
    .string()
    .regex(/^\d+$/)
    .meta({ description: 'The seconds after which the request can be repeated', example: '1' }),
  ratelimit: z.string().meta({
    description: 'Only if there is a limit: what is left of it, and the seconds until it is whole again',
    example: '"default";r=59;t=60',
  }),
  'ratelimit-policy': z.string().meta({
    description: 'Only if there is a limit: the requests in a window of so many seconds',
    example: '"default";q=60;w=60',
  }),
  'www-authenticate': z
    .string()
    .meta({ description: 'How a request is authenticated (RFC 6750)', example: 'Bearer' }),
  'accept-encoding': z
    .literal('identity')
    .meta({ description: 'Only if the body had a content coding: there is none that the service decodes' }),
};

const reference = (name: string) => `#/components/headers/${name}`;

/** Those that a document refers to. */
export function describeCommonHeaders(paths: object, schemas: Schemas) {
  const text = JSON.stringify(paths);
  const used = Object.entries(commonHeaders).filter(([name]) => text.includes(`"${reference(name)}"`));
  return mapValues(Object.fromEntries(used), (schema) => describeHeader(schema, schemas));
}

/** References to those of them that have these names. */
export const commonHeadersOf = (names: readonly string[]) =>
  Object.fromEntries(
    names.filter((name) => name in commonHeaders).map((name) => [name, { $ref: reference(name) }]),
  );

/** Of what is refused before the limit is counted. */
const beforeTheLimit = ['401', '403', '421'];

/** The header fields of a response whatever it is. */
export function usualHeaders(status: string, isLimited: boolean) {
  const limit = isLimited && !beforeTheLimit.includes(status) ? ['ratelimit', 'ratelimit-policy'] : [];
  // Only for a body with a content coding, so that no kind of problem has it.
  const encoding = status === '415' ? ['accept-encoding'] : [];
  return commonHeadersOf(['x-request-id', ...limit, ...encoding]);
}

/** @param header the schema of its value, with a description */
export function describeHeader(header: z.ZodType, schemas: Schemas) {
  const { description, example, ...schema } = schemas.describe(header, 'output');
  return { description, schema, example };
}
