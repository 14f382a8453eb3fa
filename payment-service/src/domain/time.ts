/** The second that was written last, in s since the epoch, and its text up to the milliseconds. */
let second = Number.NaN;
let text = '';

/**
 * A time in ms since the epoch as text, RFC 3339 in UTC. Most times that are written are of the present second, so its text is
 * kept: Date.toISOString takes 2 µs, and each payment has several times.
 */
export function writeTime(ms: number): string {
  const ofMs = Math.floor(ms / 1000);
  if (ofMs !== second) {
    text = new Date(ofMs * 1000).toISOString().slice(0, -4);
    second = ofMs;
  }
  return `${text}${String(ms - ofMs * 1000).padStart(3, '0')}Z`;
}

export const writeNow = (): string => writeTime(Date.now());
