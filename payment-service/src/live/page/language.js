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

/** @param {string} reason the reason of a circuit's state */
export function textOfCircuitReason(reason) {
  const [, refusal] = /^account_refused: (.+)$/.exec(reason) ?? [];
  if (refusal) return textOf('accountRefused', { reason: textOfReason(refusal) });
  const english = reason.replace(/(?<=the last: )\w+$/, textOfReason);
  if (language === 'en') return english;
  const [pattern, spanish] = circuitReasons.find(([pattern]) => pattern.test(english)) ?? [];
  return pattern && spanish ? english.replace(pattern, spanish) : english;
}

/** @param {string} iso */
export const formatTime = (iso) => new Date(iso).toLocaleTimeString(language);

/** @param {number} share of 1 */
export const formatPercent = (share) =>
  share.toLocaleString(language, { style: 'percent', maximumFractionDigits: 1 });

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
