import type { Credential } from 'service-kit/http/credentials.ts';
import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { z } from 'zod';
import type { Visibility } from '../domain/visibility.ts';
import type { Customer } from '../store/store.ts';

/** The query of a route that is about a customer. */
export const ownerQuerySchema = z.strictObject({
  client: z
    .string()
    .regex(/^[\w-]{0,64}$/, 'must be the name of a client, or empty')
    .optional()
    .meta({
      description:
        'For admins, with CLIENTS_ISOLATED=true: the client whose customer it is, by default the name of the key. Empty: a customer from before the isolation',
      example: 'shop',
    }),
});

/** The query of a route that is about all that is stored of a person. */
export const personQuerySchema = z.strictObject({
  client: ownerQuerySchema.shape.client.meta({
    description:
      'With CLIENTS_ISOLATED=true, and only then: the client whose customer it is. Empty: a customer from before the isolation',
    example: 'shop',
  }),
});

type OwnerQuery = z.output<typeof ownerQuerySchema>;

/** The path of the customer that a request with this query is about. */
export const pathOfCustomer = (customer_id: string, { client }: OwnerQuery): string =>
  `/customers/${encodeURIComponent(customer_id)}${client === undefined ? '' : `?client=${client}`}`;

/**
 * The customer of this id that the request is about.
 *
 * @throws Problem 400 if it names a client and must not
 */
export function customerOf(
  visibility: Visibility,
  requester: Credential | undefined,
  customer_id: string,
  { client }: OwnerQuery,
): Customer {
  if (client === undefined) return { customer_id, client: requester?.name ?? null };
  if (!visibility.mayNameClient(requester))
    throw invalidRequest([{ path: 'client', message: 'is for admins, with CLIENTS_ISOLATED=true' }]);
  return { customer_id, client: client === '' ? null : client };
}

/**
 * The customer whose data is meant: where the request may name a client it must, because one of the admin's own is hardly ever meant.
 *
 * @throws Problem 400 if it does not, or names a client and must not
 */
export function personOf(
  visibility: Visibility,
  requester: Credential | undefined,
  customer_id: string,
  query: OwnerQuery,
): Customer {
  if (query.client === undefined && visibility.mayNameClient(requester))
    throw invalidRequest([
      {
        path: 'client',
        message: 'must name the client whose customer it is, or be empty for one from before',
      },
    ]);
  return customerOf(visibility, requester, customer_id, query);
}
