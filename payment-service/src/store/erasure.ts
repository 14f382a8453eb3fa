/** What became of the payments that a step of an erasure has looked at, in one commit. */
export interface ErasedStep {
  /** The payment after which the next step goes on; null if this was the last one. */
  last: string | null;
  /** The ids of those whose notification is open: it has to be cancelled first. */
  open: string[];
  /** How many have ended, and are leased to a worker. */
  leased: number;
  /** How many have lost something in this step. */
  erased: number;
  answers: number;
  events: number;
  /** The phone of one of them gets no SMS. */
  suppressed: boolean;
}
