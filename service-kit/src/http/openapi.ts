import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { RouteOptions } from 'fastify';
import { describeCommonHeaders } from './openapi-headers.ts';
import { describeOperation } from './openapi-operation.ts';
import { aboutProblems, describeExamples } from './openapi-problems.ts';
import { createSchemas } from './openapi-schemas.ts';
import type { ProblemKinds } from './problem.ts';
import type { Server } from './types.ts';

export interface DocumentOptions {
  title: string;
  description: string;
  version: string;
  /** What the routes of a tag are for, in the order in which the document lists them. */
  tags?: Record<string, string>;
}

/** The document of all later routes at /openapi.json, and as pages at /docs. */
export async function registerDocument(server: Server, options: DocumentOptions): Promise<void> {
  const routes: RouteOptions[] = [];
  server.decorate('documentedRoutes', { getter: () => routes.filter(isDocumented) });
  server.addHook('onRoute', (route) => void routes.push(route));
  await server.register(swagger, {
    // It hides each route, because the document is ours: it would drop the headers of responses, and what stands beside a $ref.
    transform: ({ url }) => ({ schema: { hide: true }, url }),
    transformObject: () => describeRoutes(routes, options) as never,
  });
  await server.register(async (docs: Server) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'anyone' };
    });
    await docs.register(swaggerUi, { routePrefix: '/docs', staticCSP: docsPolicy });
  });
  server.get('/openapi.json', { config: { access: 'anyone' }, schema: { hide: true } }, async () =>
    server.swagger(),
  );
}

/** For Swagger UI, whose styles are inline. */
const docsPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** OpenAPI 3.1. */
function describeRoutes(routes: readonly RouteOptions[], { tags = {}, ...info }: DocumentOptions) {
  const schemas = createSchemas();
  const problems: ProblemKinds = {};
  const paths: Record<string, Record<string, ReturnType<typeof describeOperation>['operation']>> = {};
  for (const route of routes.filter(isDocumented)) {
    const path = route.url.replace(/:(\w+)/g, '{$1}');
    const { operation, problems: own } = describeOperation(route, schemas);
    Object.assign(problems, own);
    for (const method of [route.method].flat())
      paths[path] = { ...paths[path], [method.toLowerCase()]: operation };
  }
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  const used = new Set(operations.flatMap((operation) => operation.tags ?? []));
  return {
    openapi: '3.1.0',
    info: {
      title: info.title,
      description: `${info.description}\n\n${aboutProblems}`,
      version: info.version,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(tags)
      .filter(([name]) => used.has(name))
      .map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description:
            'A key, which must have one of the roles that the operation names. A read-only key of a client allows those with GET',
        },
      },
      headers: describeCommonHeaders(paths, schemas),
      examples: describeExamples(problems),
      schemas: schemas.components(),
    },
  };
}

const isDocumented = ({ method, schema }: RouteOptions) => method !== 'HEAD' && !schema?.hide;
