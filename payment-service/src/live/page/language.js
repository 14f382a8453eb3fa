import { circuitReasons, texts } from './texts.js';

/** @typedef {keyof typeof texts} Language */
/** @typedef {keyof typeof texts.en} TextKey */

const storageKey = 'language';

/** @type {Language} */
let language = initialLanguage();

/** @returns {Language} */
function initialLanguage() {
  const chosen = localStorage.getItem(storageKey) ?? navigator.language;
  return chosen.startsWith('es') ? 'es' : 'en';
}

export const currentLanguage = () => language;

/** @param {Language} next */
export function chooseLanguage(next) {
  language = next;
  localStorage.setItem(storageKey, next);
}

/**
 * @param {TextKey} key
 * @param {Record<string, string | number>} [values]
 */
export const textOf = (key, values = {}) =>
  texts[language][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

/**
 * The reason of an attempt or a payment as a text; a reason without a text is returned unchanged.
 *
 * @param {string} reason
 */
export function textOfReason(reason) {
  const key = `${reason}_reason` in texts.en ? `${reason}_reason` : reason; // where the page has the bare key for another text
  return key in texts.en ? textOf(/** @type {TextKey} */ (key)) : reason;
}

/**
 * The text of a word that the page may not know yet, such as one of a newer release; then the word itself.
 *
 * @param {string} prefix of the key
 * @param {string} word
 */
export function textOfWord(prefix, word) {
  const key = `${prefix}-${word}`;
  return key in texts.en ? textOf(/** @type {TextKey} */ (key)) : word;
}

/** @param {string} reason the reason of a circuit's state */
export function textOfCircuitReason(reason) {
  const worded = reason.replace(
    /(?<=(?:the last|account_refused|failed|could not tell): )\w+$/,
    textOfReason,
  );
  if (language === 'en') return worded.replace(/^account_refused/, 'the account is refused');
  const [pattern, spanish] = circuitReasons.find(([pattern]) => pattern.test(worded)) ?? [];
  return pattern && spanish ? worded.replace(pattern, spanish) : worded;
}

/** @param {number} value */
export const formatNumber = (value) => value.toLocaleString(language);

/** @param {string} iso of another day, with its date */
export function formatTime(iso) {
  const time = new Date(iso);
  if (time.toDateString() === new Date().toDateString()) return time.toLocaleTimeString(language);
  return time.toLocaleString(language, { dateStyle: 'medium', timeStyle: 'medium' });
}

const units = /** @type {const} */ ([
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
]);

/** @param {number} ms how long ago; less than a second counts as none */
export function formatAge(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1, 's'];
  return textOf('ago', { age: `${Math.floor(seconds / size)} ${unit}` });
}

/**
 * A time and its age.
 *
 * @param {string} iso
 * @param {number} now by the clock of the service, in ms since the epoch
 */
export const formatMoment = (iso, now) => `${formatTime(iso)} (${formatAge(now - Date.parse(iso))})`;

/** @param {number} share of 1; rounded down, so that 100% is all */
export const formatPercent = (share) =>
  share.toLocaleString(language, {
    style: 'percent',
    maximumFractionDigits: 1,
    roundingMode: 'floor',
  });

/**
 * Sets the text of elements with `data-text`, and the label of elements with `data-label`.
 *
 * @param {ParentNode} root
 */
export function translate(root) {
  for (const element of root.querySelectorAll('[data-text]'))
    element.textContent = textOf(/** @type {TextKey} */ (element.getAttribute('data-text')));
  for (const element of root.querySelectorAll('[data-label]'))
    element.setAttribute('aria-label', textOf(/** @type {TextKey} */ (element.getAttribute('data-label'))));
}
