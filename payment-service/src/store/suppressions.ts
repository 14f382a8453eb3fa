import type { Suppression } from '../domain/suppression.ts';

export interface SuppressionQuery {
  limit: number;
  /** The id of the suppression after which the page starts. */
  starting_after: string | undefined;
}

export interface SuppressionPage {
  suppressions: Suppression[];
  has_more: boolean;
}

/** The part of the store that keeps which phones get no SMS, also after the payments and customers that had them. */
export interface SuppressionStore {
  /**
   * Stores a suppression unless its phone has one. That of an admin replaces the source and the reason of an opt-out, so that no
   * START lifts it. Returns the one that the phone has, and whether it is this one.
   */
  putSuppression(suppression: Suppression): Promise<{ suppression: Suppression; isNew: boolean }>;
  findSuppression(by: { suppression_id: string } | { phone: string }): Promise<Suppression | undefined>;
  /** Newest first; undefined if there is no suppression `starting_after`. */
  listSuppressions(query: SuppressionQuery): Promise<SuppressionPage | undefined>;
  /** Returns whether there was one. */
  deleteSuppression(suppressionId: string): Promise<boolean>;
  /** Deletes the phone's suppression if it is an opt-out; returns whether it was one. */
  liftOptOut(phone: string): Promise<boolean>;
}

/** The page of `limit` suppressions, of which one more was read. */
export const pageOf = (suppressions: Suppression[], limit: number): SuppressionPage => ({
  suppressions: suppressions.slice(0, limit),
  has_more: suppressions.length > limit,
});
