/** Whose a customer is, as it is stored: a client's name, or '' where clients are not isolated or the client is not known. */
export type OwnerOf = (client: string | null) => string;

export const ownersWhere = (clientsIsolated: boolean): OwnerOf =>
  clientsIsolated ? (client) => client ?? '' : () => '';

/** Whose the customer of a payment is, in SQL. */
export const ownerOfPayment = (ownerOf: OwnerOf): string =>
  ownerOf('any') === '' ? "''" : "coalesce(client, '')";
