import { providerSchema } from 'service-kit/contract/notification.ts';
import { sandboxSettingsSchema } from 'service-kit/contract/sandbox-settings.ts';
import { badRequestResponse, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { Levers } from './sandbox-controls.ts';

/** For the live page, which talks to this service alone. */
export function registerSandboxLevers(server: Server, levers: Pick<Levers, 'set'>): void {
  server.post(
    '/sandbox/:provider',
    {
      config: { access: ['admin'] },
      schema: {
        tags: ['live'],
        summary: "From now on the provider's sandbox misbehaves like this; what is not given stays as it is",
        params: z.object({ provider: providerSchema }),
        body: sandboxSettingsSchema.partial(),
        response: {
          200: sandboxSettingsSchema,
          400: badRequestResponse,
          404: problemResponse('The provider is live: it has no sandbox'),
          502: problemResponse("The provider's service did not do it"),
          503: problemResponse("The provider's service can not be reached"),
        },
      },
    },
    async ({ params, body }) => levers.set(params.provider, definedOf(body)),
  );
}

const definedOf = <T extends object>(settings: T) =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
