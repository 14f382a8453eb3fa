import { get, setText } from './elements.js';
import { textOf } from './language.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('./language.js').TextKey} TextKey */

/** For so long an error stays at least, so that it can be read. */
const readableMs = 5000;

/**
 * The latest error of each action.
 *
 * @type {Map<string, { key: TextKey, values: Record<string, number>, at: number, isOver: (snapshot: Snapshot) => boolean }>}
 */
const errors = new Map();

/**
 * Shows why an action failed, until it succeeds, or a snapshot shows that the cause is over.
 *
 * @param {string} action
 * @param {TextKey} key
 * @param {Record<string, number>} [values]
 * @param {(snapshot: Snapshot) => boolean} [isOver]
 */
export function showError(action, key, values = {}, isOver = () => false) {
  errors.set(action, { key, values, at: performance.now(), isOver });
  renderErrors();
}

/** @param {string} action which has succeeded */
export function clearError(action) {
  if (errors.delete(action)) renderErrors();
}

/** @param {Snapshot} snapshot */
export function clearErrorsThatAreOver(snapshot) {
  for (const [action, { at, isOver }] of errors)
    if (performance.now() - at >= readableMs && isOver(snapshot)) clearError(action);
}

/** Also for a change of the language. */
export function renderErrors() {
  const texts = [...errors.values()].map(({ key, values }) => textOf(key, values));
  setText(get('#error'), [...new Set(texts)].join(' '));
}
