import { z } from 'zod';
import { customerIdSchema, idSchema, receiptStatusSchema } from '../../contract/notification.ts';
import {
  type SandboxSettings,
  sandboxChangesSchema,
  sandboxSettingsSchema,
} from '../../contract/sandbox-settings.ts';
import { share } from '../../http/configuration.ts';
import { invalidRequest } from '../../http/http-problems.ts';
import type { Server } from '../../http/types.ts';
import { ends, receiptFaults } from './fate.ts';
import { faults } from './faults.ts';
import type { Sandbox } from './sandbox.ts';

const messageSchema = z
  .object({
    message_id: idSchema,
    customer_id: customerIdSchema,
    idempotency_key: idSchema.nullable(),
    accepted_at: z.iso.datetime(),
    delivery: z
      .object({ status: receiptStatusSchema, at: z.iso.datetime() })
      .nullable()
      .meta({ description: 'What has become of it; null while that is not known' }),
  })
  .meta({ id: 'SandboxMessage', description: 'An SMS that the sandbox has accepted' });

export function registerSandboxRoutes(server: Server, sandbox: Sandbox): void {
  server.post(
    '/toggle-failure',
    {
      config: { access: ['admin', 'service'] },
      schema: {
        tags: ['sandbox'],
        operationId: 'setFailureRate',
        summary: 'Set the share of sends that fail from now on',
        querystring: z.strictObject({
          failure_rate: share().meta({ type: 'number', minimum: 0, maximum: 1, example: 0.5 }),
        }),
        response: {
          200: z.object({ status: z.literal('updated'), failure_rate: z.number() }),
        },
      },
    },
    async ({ query: { failure_rate } }) => {
      sandbox.set({ failure_rate });
      return { status: 'updated' as const, failure_rate };
    },
  );

  server.post(
    '/sandbox',
    {
      config: { access: ['admin', 'service'] },
      schema: {
        tags: ['sandbox'],
        operationId: 'changeSandboxSettings',
        summary: 'Change the given settings of the sandbox; the others stay unchanged',
        body: sandboxChangesSchema,
        response: { 200: sandboxSettingsSchema },
      },
    },
    async ({ body }) => {
      const changes = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
      const errors = wrongSums({ ...sandbox.settings, ...changes });
      if (errors.length > 0) throw invalidRequest(errors);
      sandbox.set(changes);
      return sandbox.settings;
    },
  );

  server.get(
    '/sandbox',
    {
      config: { access: ['admin', 'service'] },
      schema: {
        tags: ['sandbox'],
        operationId: 'getSandboxSettings',
        summary: 'Get the settings of the sandbox',
        response: { 200: sandboxSettingsSchema },
      },
    },
    async () => sandbox.settings,
  );

  server.get(
    '/sandbox/messages',
    {
      config: { access: ['admin', 'service'] },
      schema: {
        tags: ['sandbox'],
        operationId: 'listSandboxMessages',
        summary:
          'List the messages that the sandbox has accepted, in order, including those whose answer was lost',
        querystring: z.strictObject({ customer_id: z.string().optional() }),
        response: {
          200: z.object({
            data: z.array(messageSchema),
          }),
        },
      },
    },
    async ({ query: { customer_id } }) => ({
      data: sandbox.messages.filter((message) => !customer_id || message.customer_id === customer_id),
    }),
  );
}

/** Of each group an SMS draws one at most. */
const groupsOfRates = [faults, ends, receiptFaults].map((names) =>
  names.map((name) => `${name}_rate` as const),
);

function wrongSums(settings: SandboxSettings): { path: string; message: string }[] {
  const sum = (rates: (typeof groupsOfRates)[number]) =>
    rates.reduce((total, rate) => total + settings[rate], 0);
  return groupsOfRates
    .filter((rates) => sum(rates) > 1 + Number.EPSILON * 8)
    .map((rates) => ({
      path: 'body',
      message: `must have rates that add up to at most 1: ${rates.join(', ')}`,
    }));
}
