import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { InjectOptions } from 'fastify';
import { problemContentType } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { expect } from 'vitest';

/** Holds answers to the OpenAPI document of their service. */

interface Media {
  schema: object;
  examples?: object;
}

interface Response {
  headers: object;
  content?: Record<string, Media>;
}

export interface Document {
  paths: Record<string, Record<string, { responses: Record<string, Response> }>>;
}

interface Answer {
  method: string;
  /** With or without a query. */
  url: string;
  status: number;
  headers: Record<string, unknown>;
  body: string;
}

/** Of transport, caches and browsers; a document names those that a program reads. */
const undocumentedFields =
  /^(?:connection|content-(?:length|type|security-policy)|cache-control|date|keep-alive|transfer-encoding|referrer-policy|vary|x-(?:accel-buffering|content-type-options|frame-options)|cross-origin-\w+-policy)$/;

/** Problems that any path may have, because the request has not reached its operation. */
const ofAnyPath = [405, 408, 417, 431];

/** What the sandbox sends in place of JSON, on purpose. */
const unreadable = '{"provider": "Ald';

/** Returns what is wrong with an answer, by a document. */
export function createDocumentCheck(document: Document): (answer: Answer) => string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'document', ...closed(document) });
  const validators = new Map<object, ValidateFunction>();

  function bodyFaults(media: Media | undefined, type: string, body: string): string[] {
    if (body === '' || body === unreadable) return [];
    if (!media) return [`the media type ${type}`];
    if (!type.endsWith('json')) return [];
    const validate =
      validators.get(media) ??
      ajv.compile(JSON.parse(JSON.stringify(closed(media.schema)).replaceAll('"#/', '"document#/')));
    validators.set(media, validate);
    const value = JSON.parse(body);
    const faults = validate(value) ? [] : [ajv.errorsText(validate.errors)];
    return type === problemContentType ? [...problemFaults(media, value), ...faults] : faults;
  }

  const findOperation = operationsOf(document);
  return ({ method, url, status, headers, body }) => {
    const operation = findOperation(method, url);
    // A path of no operation, such as that of a file.
    if (!operation || ofAnyPath.includes(status)) return [];
    const response = operation.responses[status];
    if (!response) return [`the status ${status}`];
    const fields = Object.keys(headers).filter(
      (field) => !undocumentedFields.test(field) && !(field in response.headers),
    );
    const [type = ''] = String(headers['content-type'] ?? '').split(';');
    return [
      ...fields.map((field) => `the header field ${field}`),
      ...bodyFaults(response.content?.[type], type, body),
    ];
  };
}

function operationsOf({ paths }: Document) {
  const patterns = Object.entries(paths).map(([path, methods]) => ({
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    methods,
  }));
  return (method: string, url: string) => {
    const name = method.toLowerCase();
    const path = url.split('?')[0] ?? '';
    return patterns.find(({ pattern, methods }) => pattern.test(path) && name in methods)?.methods[name];
  };
}

const problemFaults = ({ examples = {} }: Media, { type }: { type: string }): string[] =>
  Object.keys(examples).includes(type.replace('/problems/', '')) ? [] : [`the problem ${type}`];

/** A response may get new fields, and the document allows for them; one that a test sees must be in it. */
function closed<T>(node: T): T {
  if (Array.isArray(node)) return node.map(closed) as T;
  if (typeof node !== 'object' || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, closed(value)]));
  return (
    'properties' in copy && !('additionalProperties' in copy)
      ? { ...copy, additionalProperties: false }
      : copy
  ) as T;
}

const checks = new Map<string, ReturnType<typeof createDocumentCheck>>();

/**
 * Has each answer to an injected request held to the document of the service.
 *
 * @param service whose documents are the same; one takes long to make
 */
export function holdToDocument(service: string, app: Server): void {
  const inject = app.inject.bind(app) as (request?: InjectOptions | string) => unknown;
  const checked = async (request: InjectOptions | string) => {
    const answer = (await inject(request)) as Awaited<ReturnType<typeof app.inject>>;
    if (typeof request === 'object' && request.payloadAsStream) return answer;
    const { method = 'GET', url } = typeof request === 'string' ? { url: request } : request;
    const check = checks.get(service) ?? createDocumentCheck(app.swagger() as unknown as Document);
    checks.set(service, check);
    const { statusCode: status, headers, body } = answer;
    const faults = check({ method, url: String(url), status, headers, body });
    expect(faults, `not in the document: ${method} ${url} ${status} ${body}`).toEqual([]);
    return answer;
  };
  app.inject = ((request) => (request === undefined ? inject() : checked(request))) as Server['inject'];
}
