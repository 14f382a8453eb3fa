import { customerIdSchema, phoneSchema } from 'service-kit/contract/notification.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { setPhone } from '../delivery/set-phone.ts';
import type { Visibility } from '../domain/visibility.ts';
import type { Store } from '../store/store.ts';
import { customerOf, ownerQuerySchema, pathOfCustomer } from './customer-of.ts';
import { phoneRequestSchema, type RequestRules } from './payment-request.ts';

const paramsSchema = z.object({ customer_id: customerIdSchema });
const customerSchema = z
  .object({ customer_id: customerIdSchema, phone: phoneSchema })
  .meta({ id: 'Customer' });
const failures = problemResponses(paymentProblems, 'store-unavailable');
const notFound = problemResponses(paymentProblems, 'customer-not-found');

const location = z.string().meta({ description: 'The path of the customer', example: '/customers/123' });

/** The phones of customers, used for payments without one. */
export function registerCustomers(
  server: Server,
  store: Store,
  rules: RequestRules,
  visibility: Visibility,
): void {
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
        querystring: ownerQuerySchema,
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
    async ({ params: { customer_id }, query, body: { phone }, credential }, reply) => {
      const customer = customerOf(visibility, credential, customer_id, query);
      const isNew = await setPhone(store, customer, phone);
      if (isNew) reply.code(201).header('location', pathOfCustomer(customer_id, query));
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
        querystring: ownerQuerySchema,
        response: { 200: customerSchema, ...notFound, ...failures },
      },
    },
    async ({ params: { customer_id }, query, credential }) => {
      const phone = await store.findPhone(customerOf(visibility, credential, customer_id, query));
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
        querystring: ownerQuerySchema,
        response: { 204: z.undefined(), ...notFound, ...failures },
      },
    },
    async ({ params: { customer_id }, query, credential }, reply) => {
      const customer = customerOf(visibility, credential, customer_id, query);
      if (!(await store.deletePhone(customer))) throw paymentProblem('customer-not-found');
      return reply.code(204).send();
    },
  );
}
