/**
 * Whether the cause of an error is in the surroundings: a network, a disk, or what an error of our own calls so by `isOutage`.
 * A stack trace says nothing of it.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return 'isOutage' in error ? error.isOutage === true : 'syscall' in error;
}

/** Of the program itself, whatever it was doing. */
export const isDefect = (error: unknown): boolean =>
  error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
