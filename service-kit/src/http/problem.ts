import { STATUS_CODES } from 'node:http';
import { z } from 'zod';

const fieldErrorSchema = z.object({ path: z.string(), message: z.string() }).meta({ id: 'FieldError' });
export type FieldError = z.infer<typeof fieldErrorSchema>;

/** RFC 9457. `errors` names each field of a bad request. */
export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .meta({ id: 'Problem', description: 'A problem document (RFC 9457)' });

type ProblemDocument = z.infer<typeof problemSchema>;

/** An error response, thrown from any depth. All its fields are meant for the client. */
export class Problem extends Error {
  readonly status: number;
  readonly document: ProblemDocument;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    name: string,
    detail: string,
    { headers = {}, ...members }: { headers?: Record<string, string>; [member: string]: unknown } = {},
  ) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.document = {
      type: `urn:problem:${name}`,
      title: STATUS_CODES[status] ?? 'Error',
      status,
      detail,
      ...members,
    };
  }
}

/** The problem of input that is wrong; its fields are named all at once. */
export const invalidRequest = (errors: FieldError[] | undefined) =>
  new Problem(400, 'invalid-request', 'The request is invalid; `errors` names each invalid field.', {
    errors,
  });

export const problemContentType = 'application/problem+json';

/** For OpenAPI: a problem as the response of a route. */
export const problemResponse = (description: string) => ({
  description,
  content: { [problemContentType]: { schema: problemSchema } },
});

/** For OpenAPI: the response to input that does not match the schemas. */
export const badRequestResponse = problemResponse(
  'The request is invalid; `errors` names each invalid field',
);
