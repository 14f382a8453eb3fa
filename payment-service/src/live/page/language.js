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
  const worded = reason.replace(
    /(?<=(?:the last|account_refused|failed|could not tell): )\w+$/,
    textOfReason,
  );
  if (language === 'en') return worded.replace(/^account_refused/, 'the account is refused');
  const [pattern, spanish] = circuitReasons.find(([pattern]) => pattern.test(worded)) ?? [];
  return pattern && spanish ? worded.replace(pattern, spanish) : worded;
}

/**
 * Why and since when the provider refuses the account; null if it does not.
 *
 * @param {import('../snapshot.ts').Snapshot['circuits']['Aldeamo']['account']} account
 */
export const textOfRefusal = (account) =>
  account?.state === 'refused'
    ? textOf('accountRefused', {
        time: new Date(account.since).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' }),
        reason: account.reason ? textOfReason(account.reason) : textOf('noReason'),
      })
    : null;

/** @param {number} value */
export const formatNumber = (value) => value.toLocaleString(language);

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
