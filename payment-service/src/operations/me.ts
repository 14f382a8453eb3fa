import { isAuthorized } from 'service-kit/http/access.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';

const meSchema = z
  .object({
    name: z
      .string()
      .nullable()
      .meta({ description: 'The name of the key; null if the service has no keys', example: 'maria' }),
    role: z
      .enum(['client', 'admin', 'service'])
      .nullable()
      .meta({ description: 'The role of the key; null if the service has no keys' }),
    read_only: z.boolean().meta({ description: 'Whether the key allows GET and HEAD requests alone' }),
    operations: z.array(z.string()).meta({
      description: 'The operations that the key allows, by the `operationId` of /openapi.json',
      example: ['createPayment', 'listPayments'],
    }),
  })
  .meta({ id: 'Me' });

/** Who makes a request, and what it may do: of the routes as they are registered, so that none is forgotten. */
export function registerMe(server: Server): void {
  server.get(
    '/me',
    {
      config: { access: ['client', 'admin', 'service'] },
      schema: {
        tags: ['health'],
        operationId: 'getMe',
        summary: 'Get the name and the role of the key, and what it allows',
        response: { 200: meSchema },
      },
    },
    async ({ credential }) => ({
      name: credential?.name ?? null,
      role: credential?.role ?? null,
      read_only: credential?.isReadOnly ?? false,
      operations: server.documentedRoutes
        .filter(({ method, config }) => !credential || isAuthorized(credential, method, config?.access))
        .map(({ schema }) => schema?.operationId ?? ''),
    }),
  );
}
