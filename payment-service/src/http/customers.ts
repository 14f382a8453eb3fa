import { customerIdSchema, phoneSchema } from 'service-kit/contract/notification.ts';
import type { Credential } from 'service-kit/http/credentials.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { setPhone } from '../delivery/set-phone.ts';
import type { Customer, Store } from '../store/store.ts';
import { phoneRequestSchema, type RequestRules } from './payment-request.ts';

const paramsSchema = z.object({ customer_id: customerIdSchema });
const customerSchema = z
  .object({ customer_id: customerIdSchema, phone: phoneSchema })
  .meta({ id: 'Customer' });
const failures = problemResponses(paymentProblems, 'store-unavailable');
const notFound = problemResponses(paymentProblems, 'customer-not-found');

const location = z.string().meta({ description: 'The path of the customer', example: '/customers/123' });

/** The phones of customers, used for payments without one. */
export function registerCustomers(server: Server, store: Store, rules: RequestRules): void {
  const path = '/customers/:customer_id';
  const tags = ['customers'];

  server.put(
    path,
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags,
        operationId: 'setCustomerPhone',
        summary: "Set a customer's phone; notifications that are held without one are sent",
        params: paramsSchema,
        body: z.strictObject({ phone: phoneRequestSchema(rules) }),
        response: {
          200: jsonResponse(customerSchema, { description: 'The phone was replaced' }),
          201: jsonResponse(customerSchema, {
            description: 'The customer had no phone before',
            headers: { location },
          }),
          ...failures,
        },
      },
    },
    async ({ params: { customer_id }, body: { phone }, credential }, reply) => {
      const isNew = await setPhone(store, customerOf(credential, customer_id), phone);
      if (isNew) reply.code(201).header('location', `/customers/${encodeURIComponent(customer_id)}`);
      return { customer_id, phone };
    },
  );

  server.get(
    path,
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags,
        operationId: 'getCustomer',
        summary: "Get a customer's phone",
        params: paramsSchema,
        response: { 200: customerSchema, ...notFound, ...failures },
      },
    },
    async ({ params: { customer_id }, credential }) => {
      const phone = await store.findPhone(customerOf(credential, customer_id));
      if (phone === undefined) throw paymentProblem('customer-not-found');
      return { customer_id, phone };
    },
  );

  server.delete(
    path,
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags,
        operationId: 'deleteCustomer',
        summary: "Delete a customer's phone",
        params: paramsSchema,
        response: { 204: z.undefined(), ...notFound, ...failures },
      },
    },
    async ({ params: { customer_id }, credential }, reply) => {
      if (!(await store.deletePhone(customerOf(credential, customer_id))))
        throw paymentProblem('customer-not-found');
      return reply.code(204).send();
    },
  );
}

const customerOf = (client: Credential | undefined, customer_id: string): Customer => ({
  client: client?.name ?? null,
  customer_id,
});
