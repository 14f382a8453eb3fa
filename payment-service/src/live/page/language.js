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
export const say = (key, values = {}) =>
  texts[language][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

/**
 * The reason of an attempt or a payment: in words where there are some, else as it is.
 *
 * @param {string} reason
 */
export function sayReason(reason) {
  const key = reason === 'throttled' ? 'throttled_reason' : reason;
  return key in texts.en ? say(/** @type {TextKey} */ (key)) : reason;
}

/** @param {string} reason why a circuit came into its state */
export function sayCircuitReason(reason) {
  const told = reason.replace(/(?<=the last: )\w+$/, sayReason);
  if (language === 'en') return told;
  const [pattern, spanish] = circuitReasons.find(([pattern]) => pattern.test(told)) ?? [];
  return pattern && spanish ? told.replace(pattern, spanish) : told;
}

/** @param {string} iso */
export const sayTime = (iso) => new Date(iso).toLocaleTimeString(language);

/** @param {number} share of 1 */
export const sayShare = (share) =>
  share.toLocaleString(language, { style: 'percent', maximumFractionDigits: 1 });

/**
 * What the page says by itself: the elements with `data-text`, and the labels of those with `data-label`.
 *
 * @param {ParentNode} root
 */
export function translate(root) {
  for (const element of root.querySelectorAll('[data-text]'))
    element.textContent = say(/** @type {TextKey} */ (element.getAttribute('data-text')));
  for (const element of root.querySelectorAll('[data-label]'))
    element.setAttribute('aria-label', say(/** @type {TextKey} */ (element.getAttribute('data-label'))));
}
