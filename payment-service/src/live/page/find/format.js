/**
 * A time with its date and its zone.
 *
 * @param {string} iso
 * @param {string} language
 * @param {string} [timeZone] by default that of the reader
 */
export const formatMoment = (iso, language, timeZone) =>
  new Date(iso).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'long', timeZone });

/**
 * The name of the reader's zone at this time.
 *
 * @param {string} language
 */
export const zoneOf = (language) =>
  new Intl.DateTimeFormat(language, { timeZoneName: 'short' })
    .formatToParts()
    .find(({ type }) => type === 'timeZoneName')?.value ?? '';

/** @type {[unit: Intl.RelativeTimeFormatUnit, ms: number][]} */
const units = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];

/**
 * How long ago, or in how long, in one unit.
 *
 * @param {number} ms negative for the past
 * @param {string} language
 */
export function formatAge(ms, language) {
  const passed = Math.abs(ms);
  // Days from two on, because "1 day ago" may be anything from 24 to 48 hours.
  const [unit, length] = units.find(([unit, length]) => passed >= (unit === 'day' ? 2 * length : length)) ?? [
    'second',
    1000,
  ];
  const count = Math.floor(passed / length);
  return new Intl.RelativeTimeFormat(language, { style: 'short' }).format(ms < 0 ? -count : count, unit);
}
