import { providerSchema } from 'service-kit/contract/notification.ts';
import { sandboxChangesSchema, sandboxSettingsSchema } from 'service-kit/contract/sandbox-settings.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblems } from '../delivery/problems.ts';
import type { SandboxControls } from './sandbox-controls.ts';

/** For the live page, whose requests all go to this service. */
export function registerSandboxControls(server: Server, controls: Pick<SandboxControls, 'set'>): void {
  server.post(
    '/sandbox/:provider',
    {
      config: { access: ['admin'] },
      schema: {
        tags: ['live'],
        operationId: 'changeSandboxSettings',
        summary: "Change the given settings of the provider's sandbox; the others stay unchanged",
        params: z.object({ provider: providerSchema }),
        body: sandboxChangesSchema,
        response: {
          200: sandboxSettingsSchema,
          ...problemResponses(
            paymentProblems,
            'sandbox-not-found',
            'provider-answer-unexpected',
            'provider-unreachable',
          ),
        },
      },
    },
    async ({ params, body }) => controls.set(params.provider, definedOf(body)),
  );
}

const definedOf = <T extends object>(settings: T) =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
