import { get, setText } from '../elements.js';
import { currentLanguage, textOf, textOfReason } from '../language.js';
import { formatAge, formatMoment } from './format.js';

/** @typedef {import('../language.js').TextKey} TextKey */

/**
 * @param {string} tag
 * @param {string} className
 * @param {...(Node | string)} children
 */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/**
 * @param {string} href
 * @param {string} text
 */
export function link(href, text) {
  const made = element('a', '', text);
  made.setAttribute('href', href);
  return made;
}

/**
 * A time, and how long ago or in how long it is, which showAges keeps right.
 *
 * @param {string} iso
 */
export function moment(iso) {
  const time = element('time', '', formatMoment(iso, currentLanguage()));
  time.setAttribute('datetime', iso);
  const age = element('span', 'age');
  age.dataset.at = iso;
  return element('span', 'moment', time, ' ', age);
}

/**
 * @param {ParentNode} root
 * @param {number} now in ms since the epoch
 */
export function showAges(root, now) {
  for (const age of root.querySelectorAll('[data-at]')) {
    const at = Date.parse(/** @type {HTMLElement} */ (age).dataset.at ?? '');
    setText(age, formatAge(at - now, currentLanguage()));
  }
}

/**
 * A notification status in the API's word.
 *
 * @param {string} status
 */
export function statusChip(status) {
  const chip = element('span', 'chip status', status);
  chip.setAttribute('translate', 'no');
  return chip;
}

/**
 * A reason in words, and as the API has it.
 *
 * @param {string} reason
 */
export function reasonOf(reason) {
  const words = textOfReason(reason);
  const code = element('code', '', reason);
  return words === reason ? code : element('span', '', words, ' ', code);
}

/**
 * An id with a button that copies it.
 *
 * @param {string} text
 * @param {TextKey} what
 * @param {HTMLElement} [shown]
 */
export function copyable(text, what, shown = element('code', 'id', text)) {
  const button = element('button', 'copy', textOf('copyText'));
  button.setAttribute('type', 'button');
  button.setAttribute('aria-label', textOf('copyLabel', { what: textOf(what) }));
  button.dataset.focus = `${what} ${text}`;
  const done = element('span', 'hint copied');
  button.addEventListener('click', async () => {
    const isCopied = await copy(text);
    if (!isCopied) getSelection()?.selectAllChildren(shown);
    const key = isCopied ? 'copyDone' : 'copySelected';
    setText(done, textOf(key));
    setText(get('#find-news'), textOf(key));
  });
  return element('span', 'copyable', shown, ' ', button, ' ', done);
}

/**
 * A browser has no clipboard for a page without TLS, and may refuse it.
 *
 * @param {string} text
 */
const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
};

/** @typedef {false | readonly [name: string, ...what: (Node | string)[]]} Fact false: there is none */

/**
 * Names, each with what it has.
 *
 * @param {Fact[]} facts
 */
export const factsOf = (facts) =>
  element(
    'dl',
    'facts',
    ...facts
      .filter((fact) => fact !== false)
      .map(([name, ...what]) => element('div', '', element('dt', '', name), element('dd', '', ...what))),
  );
