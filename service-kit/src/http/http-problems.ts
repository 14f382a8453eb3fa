import { type FieldError, type ProblemKinds, problemMaker } from './problem.ts';

/** The problems of every server. */
export const httpProblems = {
  'invalid-request': {
    status: 400,
    detail: 'The request is invalid; `errors` names each invalid field.',
    meaning: 'A field of the path, the query, the headers or the body is not what the call takes.',
    remedy: 'Correct each field that `errors` names. Unchanged, the request would be refused again.',
    members: { errors: [{ path: 'customer_id', message: 'must not be empty' }] },
  },
  'malformed-request': {
    status: 400,
    detail: 'The request cannot be parsed.',
    meaning: 'The request is not valid HTTP, its body is not JSON, or it could be read in more than one way.',
    remedy: 'Correct what `detail` names. Unchanged, the request would be refused again.',
  },
  unauthorized: {
    status: 401,
    detail: 'A key is required: Authorization: Bearer <key>.',
    meaning: 'The request has no key, or one that the service does not know.',
    remedy:
      'Send a key in the header `Authorization: Bearer <key>`. The operator of the service has the keys.',
    headers: { 'www-authenticate': 'Bearer' },
  },
  forbidden: {
    status: 403,
    detail: 'The key does not allow this request.',
    meaning: 'The service knows the key, and the key is not for requests of this kind.',
    remedy: 'Use a key that is for it. The operator of the service has the keys.',
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' },
  },
  'cross-site': {
    status: 403,
    detail: 'Web pages of other origins are not allowed to change anything.',
    meaning: 'A browser sent the request for a web page of another origin, which may change nothing here.',
    remedy: "Send the request from your own backend, or from the service's own page.",
  },
  'not-found': {
    status: 404,
    detail: 'There is nothing at this path.',
    meaning: 'The service has no such path.',
    remedy: 'Correct the URL. `/docs` lists the paths.',
  },
  'method-not-allowed': {
    status: 405,
    detail: 'This path does not support the method.',
    meaning: 'The path exists, and does not support the method of the request.',
    remedy: 'Use one of the methods in the header `Allow`.',
  },
  'request-timeout': {
    status: 408,
    detail: 'The request did not arrive in time.',
    meaning: 'The headers or the body took too long to arrive. Nothing was done.',
    remedy: 'Send the request again, without pauses within it.',
  },
  'body-too-large': {
    status: 413,
    detail: 'The body exceeds the limit.',
    meaning: 'The body has more bytes than the service reads. Nothing was done.',
    remedy: 'Send a smaller body.',
  },
  'path-too-long': {
    status: 414,
    detail: 'A part of the path is too long.',
    meaning: 'A part of the path, such as an id, has more characters than any id.',
    remedy: 'Correct the URL.',
  },
  'unsupported-media-type': {
    status: 415,
    detail: 'Send the body as Content-Type: application/json.',
    meaning: 'The body has a media type, a charset or a coding that the call does not take.',
    remedy: 'Send JSON in UTF-8, as `Content-Type: application/json`, without `Content-Encoding`.',
  },
  'range-not-satisfiable': {
    status: 416,
    detail: 'The file does not have this range.',
    meaning: 'The header `Range` names bytes that the file does not have.',
    remedy: 'Request the whole file.',
  },
  'expectation-failed': {
    status: 417,
    detail: 'The only supported expectation is 100-continue.',
    meaning: 'The header `Expect` has a value that the service does not support.',
    remedy: 'Send the request without `Expect`.',
    headers: { connection: 'close' }, // the body may follow, or not
  },
  'misdirected-request': {
    status: 421,
    detail:
      'Without keys, this service does not accept this host name. Add it to ALLOWED_HOSTS, or set keys.',
    meaning: 'A service without keys accepts only the host names of its machine and its network.',
    remedy: 'The operator adds the name to ALLOWED_HOSTS, or sets keys.',
  },
  'idempotency-key-reused': {
    status: 422,
    detail: 'This Idempotency-Key was used for another request before.',
    meaning: 'The key belongs to an earlier request with another body. Nothing was done.',
    remedy: 'Choose a key of its own for each request, and repeat a request with its own body alone.',
  },
  'too-many-requests': {
    status: 429,
    detail: 'The limit of requests in a minute is reached. Retry later.',
    meaning: 'The client has made more requests than its limit allows. Nothing was done.',
    remedy: 'Repeat the request after the seconds in `Retry-After`, with the same `Idempotency-Key`.',
    headers: { 'retry-after': '60' },
  },
  'headers-too-large': {
    status: 431,
    detail: 'The headers exceed the limit.',
    meaning: 'The headers have more bytes than the service reads. Nothing was done.',
    remedy: 'Send fewer or shorter headers.',
  },
  refused: {
    status: 400,
    detail: 'The request cannot be carried out.',
    meaning: 'The request was refused; its status, which may be any 4xx, says why. Nothing was done.',
    remedy: 'Correct the request. Unchanged, it would be refused again.',
  },
  'internal-error': {
    status: 500,
    detail: 'An internal error occurred. It has been logged.',
    meaning: 'A defect of the service. The request may have been carried out.',
    remedy:
      'Report it to the operator with the `X-Request-Id` of the response, which finds the error in the log.',
  },
  'not-ready': {
    status: 503,
    detail: 'The service is not ready.',
    meaning: 'What the service depends on, such as its store, does not respond.',
    remedy: 'Route no requests to this process until it is ready. Its log has the cause.',
  },
  stopping: {
    status: 503,
    detail: 'The service is stopping. Retry later.',
    meaning: 'The process is stopping, and takes no new requests. Nothing was done.',
    remedy: 'Repeat the request after the seconds in `Retry-After`.',
    headers: { 'retry-after': '1' },
  },
  overloaded: {
    status: 503,
    detail: 'The concurrency limit is reached. Retry later.',
    meaning: 'The service is handling as many requests as it may at a time. Nothing was done.',
    remedy: 'Repeat the request after the seconds in `Retry-After`.',
    headers: { 'retry-after': '1' },
  },
} as const satisfies ProblemKinds;

export const httpProblem = problemMaker(httpProblems);

/** The problem of input that is wrong; its fields are named all at once. */
export const invalidRequest = (errors: FieldError[] | undefined) =>
  httpProblem('invalid-request', { errors });
