import { get, setText } from './elements.js';
import { textOf } from './language.js';

/**
 * Shows why an action failed; null clears the message.
 *
 * @param {import('./language.js').TextKey | null} key
 * @param {Record<string, number>} [values]
 */
export const showError = (key, values) => setText(get('#error'), key ? textOf(key, values) : '');
