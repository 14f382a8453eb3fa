import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { isOutage } from '../telemetry/outage.ts';
import { httpProblem, invalidRequest } from './http-problems.ts';
import { type FieldError, Problem, problemContentType } from './problem.ts';
import './validation-messages.ts';

/** The problem of any error of a handler or of Fastify. An unexpected one is logged, and not described to the client. */
function problemOfError(error: FastifyError | Problem, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (error.validation) return invalidInput(error, request);
  // The status of any other error is not meant for clients, and neither is its message.
  const statusCode = error.code?.startsWith('FST_') || isOfAFile(error) ? (error.statusCode ?? 500) : 500;
  switch (statusCode) {
    case 400:
      return httpProblem('malformed-request', detailsOf[error.code]);
    case 413:
      return httpProblem('body-too-large');
    case 414:
      return httpProblem('path-too-long');
    case 415:
      return httpProblem('unsupported-media-type');
    case 416:
      return httpProblem('range-not-satisfiable');
    default:
      if (statusCode >= 400 && statusCode < 500) return httpProblem('refused', { status: statusCode });
      return httpProblem('internal-error');
  }
}

const detailsOf: Record<string, { detail: string }> = {
  FST_ERR_BAD_URL: { detail: 'The percent-escapes of the path are not UTF-8.' },
};

/** An error of http-errors, with which @fastify/static refuses a request for a file. */
const isOfAFile = (error: FastifyError & { expose?: boolean }) => error.expose === true;

/** Of fastify-type-provider-zod. */
type Validation = (input: unknown) => { error?: FastifyError['validation'] };

/** Fastify's order of validation, and the path of an issue of the whole part (no body, an array). */
const parts = [
  ['params', 'path', 'params'],
  ['body', 'body', 'body'],
  ['querystring', 'query', 'query'],
  ['headers', 'headers', 'headers'],
] as const;

/**
 * Fastify stops at the first part with errors; those of the parts behind it are found here. The paths are those of the fields,
 * joined by dots; that of an unknown field is its name.
 */
function invalidInput(
  { validation = [], validationContext }: FastifyError,
  request: FastifyRequest,
): Problem {
  const first = parts.findIndex(([name]) => name === validationContext);
  const errors = parts.slice(first).flatMap(([name, place, member], index) => {
    if (index === 0) return errorsOf(validation, place);
    const validate = request.getValidationFunction(name) as Validation | undefined;
    const result = validate?.(request[member] ?? null);
    return errorsOf(result?.error ?? [], place);
  });
  // One is enough for each field: what is no string may also be too short.
  return invalidRequest(
    errors.filter(({ path }, at) => errors.findIndex((each) => each.path === path) === at),
  );
}

const errorsOf = (validation: NonNullable<FastifyError['validation']>, place: string): FieldError[] =>
  validation.flatMap(({ keyword, instancePath, message = '', params }) => {
    const path = instancePath.split('/').filter(Boolean).join('.');
    const paths =
      keyword === 'unrecognized_keys'
        ? (params.keys as string[]).map((key) => (path ? `${path}.${key}` : key))
        : [path || place];
    return paths.map((each) => ({ path: each, message }));
  });

function sendProblem(reply: FastifyReply, { status, headers, document }: Problem): FastifyReply {
  return reply
    .code(status)
    .headers(headers)
    .type(problemContentType)
    .serializer((body: unknown) => JSON.stringify(body))
    .send(document);
}

function logFailure({ log }: FastifyRequest, err: Error): void {
  if (isOutage(err)) log.warn({ err }, 'a request was refused during an outage');
  else log.error({ err }, 'request failed');
}

const incomplete = httpProblem('malformed-request', { detail: 'The request is incomplete.' });

type ErrorHandler = (
  error: FastifyError | Problem,
  request: FastifyRequest,
  reply: FastifyReply,
) => FastifyReply;

/** `translate` returns the problem of one of the service's own errors. */
export const createErrorHandler =
  (translate: (error: Error) => Problem | undefined): ErrorHandler =>
  (error, request, reply) => {
    // The client has hung up, or the stop has cut it off, so this response goes nowhere.
    if (request.raw.errored && error === request.raw.errored) return sendProblem(reply, incomplete);
    const problem = translate(error) ?? problemOfError(error, request);
    // Fastify closes after a body that it cannot parse. The next request may have been handled by then, and is to be answered.
    if (request.raw.complete) reply.removeHeader('connection');
    // A 4xx is not logged, because the messages of parsers quote the body.
    if (problem.status >= 500 && error !== problem) logFailure(request, error);
    return sendProblem(reply, problem);
  };
