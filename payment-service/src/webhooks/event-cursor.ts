import type { EventPosition } from '../store/events.ts';

/** What a client passes back to get the next page of the feed. */
export interface EventCursor {
  position: EventPosition;
  /** What is after the place was recorded at this time (ms since the epoch) or later, so that it is stored for the retention from then. */
  at: number;
}

/** Before the first event. */
export const beginning: EventPosition = { transaction: '0', number: 0 };

const version = '1';

/** Opaque, so that clients do not depend on what is in it. */
export const writeCursor = ({ position: { transaction, number }, at }: EventCursor): string =>
  Buffer.from([version, transaction, number, at].join('.')).toString('base64url');

const form = /^1\.(0|[1-9]\d{0,19})\.(0|[1-9]\d{0,15})\.(0|[1-9]\d{0,15})$/;
/** Of a transaction's id. */
const largest = 2n ** 64n - 1n;

/** undefined if it is none that `writeCursor` writes, so that the store gets no place that it cannot compare. */
export function readCursor(text: string): EventCursor | undefined {
  const [, transaction, number, at] = form.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? [];
  if (transaction === undefined || BigInt(transaction) > largest) return undefined;
  const cursor = { position: { transaction, number: Number(number) }, at: Number(at) };
  return writeCursor(cursor) === text ? cursor : undefined;
}
