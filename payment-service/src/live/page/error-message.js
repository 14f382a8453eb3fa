import { get, setText } from './elements.js';
import { say } from './language.js';

/**
 * Says why what was asked for did not work; null: it did.
 *
 * @param {import('./language.js').TextKey | null} key
 * @param {Record<string, number>} [values]
 */
export const showTrouble = (key, values) => setText(get('#trouble'), key ? say(key, values) : '');
