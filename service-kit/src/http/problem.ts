import { STATUS_CODES } from 'node:http';
import { z } from 'zod';

const fieldErrorSchema = z.object({ path: z.string(), message: z.string() }).meta({ id: 'FieldError' });
export type FieldError = z.infer<typeof fieldErrorSchema>;

/** RFC 9457. `errors` names each field of a bad request. */
export const problemSchema = z
  .looseObject({
    type: z.string().meta({
      description: 'A reference to the page of this kind of problem, relative to the URL of the request',
      example: '/problems/not-found',
    }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    errors: z.array(fieldErrorSchema).optional(),
  })
  .meta({ id: 'Problem', description: 'A problem document (RFC 9457)' });

type ProblemDocument = z.infer<typeof problemSchema>;

/** One kind of problem. Its texts are for clients: a page shows them, and so does the OpenAPI document. */
export interface ProblemKind {
  status: number;
  /** What a problem document says unless the place that makes it knows more. */
  detail: string;
  meaning: string;
  /** What a client does about it. */
  remedy: string;
  headers?: Record<string, string>;
  /** For OpenAPI: an example of its members beside the usual ones. */
  members?: Record<string, unknown>;
}

/** By name. */
export type ProblemKinds = Record<string, ProblemKind>;

/** The path of the page of a kind, which is the `type` of its problems. */
export const problemPath = (name: string): string => `/problems/${name}`;

interface Particulars {
  /** Only for `refused`, whose status is that of an error of Fastify. */
  status?: number;
  detail?: string;
  headers?: Record<string, string>;
  [member: string]: unknown;
}

/** An error response, thrown from any depth. All its fields are meant for the client. */
export class Problem extends Error {
  readonly status: number;
  readonly document: ProblemDocument;
  readonly headers: Record<string, string>;

  constructor(name: string, kind: ProblemKind, { headers, ...members }: Particulars = {}) {
    const { status = kind.status, detail = kind.detail, ...others } = members;
    super(detail);
    this.status = status;
    this.headers = { ...kind.headers, ...headers };
    this.document = {
      type: problemPath(name),
      title: STATUS_CODES[status] ?? 'Error',
      status,
      detail,
      ...others,
    };
  }
}

/** Makes problems of the given kinds, by name. */
export const problemMaker =
  <Kinds extends ProblemKinds>(kinds: Kinds) =>
  (name: keyof Kinds & string, particulars?: Particulars): Problem =>
    new Problem(name, kinds[name] as ProblemKind, particulars);

export const problemContentType = 'application/problem+json';

interface ProblemResponse {
  problems: ProblemKinds;
  content: { [problemContentType]: { schema: typeof problemSchema } };
}

/** For OpenAPI: the responses of a route by status, each of which may be of several kinds. */
export function problemResponses<Kinds extends ProblemKinds, Name extends keyof Kinds & string>(
  kinds: Kinds,
  ...names: Name[]
) {
  const byStatus = Object.groupBy(names, (name) => (kinds[name] as ProblemKind).status);
  const responses = Object.entries(byStatus).map(([status, [...group] = []]) => {
    const problems = Object.fromEntries(group.map((name) => [name, kinds[name]]));
    return [status, { problems, content: { [problemContentType]: { schema: problemSchema } } }];
  });
  return Object.fromEntries(responses) as { [Each in Name as Kinds[Each]['status']]: ProblemResponse };
}
