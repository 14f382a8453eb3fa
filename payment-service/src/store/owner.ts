/** Whose a customer is, as it is stored: a client's name, or '' where clients are not isolated or the client is not known. */
export type OwnerOf = (client: string | null) => string;

export const ownersWhere = (clientsIsolated: boolean): OwnerOf =>
  clientsIsolated ? (client) => client ?? '' : () => '';

/** Which payments are a customer's: those with its id, and where clients are isolated of its client alone. */
export interface CustomersPayments {
  customer_id: string;
  of_any_client: boolean;
  /** null: of payments whose client is not known. */
  client: string | null;
}

export const paymentsWhere =
  (clientsIsolated: boolean) =>
  ({ customer_id, client }: Omit<CustomersPayments, 'of_any_client'>): CustomersPayments => ({
    customer_id,
    of_any_client: !clientsIsolated,
    client,
  });

/** Whose the customer of a row is, a payment or a customer, in SQL. */
export const ownerOfRow = (ownerOf: OwnerOf): string =>
  ownerOf('any') === '' ? "''" : "coalesce(client, '')";
