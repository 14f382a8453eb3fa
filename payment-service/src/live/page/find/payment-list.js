import { get, setText } from '../elements.js';
import { formatTime, textOf } from '../language.js';
import { element, link, showAges } from './build.js';
import { pagerElement, sectionOf } from './list-section.js';
import { listHref, lookupsOf, newestHref, pageSize } from './url-state.js';

/** @typedef {import('./list-section.js').Result} Result */
/** @typedef {import('./search-form.js').FieldError} FieldError */

/**
 * The payments that a search or its filters find, a page at a time.
 *
 * @param {object} options
 * @param {import('./reading.js').Read} options.read
 * @param {() => number} options.now
 * @param {(errors: FieldError[]) => FieldError[]} options.showErrors shows errors at their fields, and returns the others
 */
export function createPaymentList({ read, now, showErrors }) {
  const root = get('#found');
  /** @type {{ query: URLSearchParams, at: string | undefined, parts: () => HTMLElement[] } | undefined} */
  let shown;

  function render() {
    if (!shown) return;
    const { query, at, parts } = shown;
    get('#found-parts').replaceChildren(...parts());
    showAges(root, now());
    setText(get('#found-time'), at ? textOf('listAsOf', { time: formatTime(at) }) : '');
    get('#found-refresh').setAttribute('href', listHref(query));
  }

  /**
   * @param {URLSearchParams} query
   * @param {Result[]} results
   * @returns {() => HTMLElement[]}
   */
  function partsOf(query, results) {
    const errors = results.flatMap(errorsOf);
    if (errors.length > 0) {
      if (showErrors(errors).length === 0) return () => [element('p', '', textOf('listRefused'))];
      return () => [
        element('p', 'error', textOf('pageGone'), ' ', link(newestHref(query), textOf('pageNewest'))),
      ];
    }
    const filled = results.filter((result) => pageOf(result)?.data.length !== 0);
    if (filled.length > 0) return () => filled.map(sectionOf);
    return () => [element('p', '', textOfNothing(query)), pagerElement(query, { data: [], has_more: false })];
  }

  return {
    render,
    /**
     * Returns false if the URL has a cursor without need, because the page is the newest one.
     *
     * @param {URLSearchParams} query
     * @param {AbortSignal} signal
     */
    async load(query, signal) {
      root.setAttribute('aria-busy', 'true');
      const results = await Promise.all(
        lookupsOf(query).map(async (lookup) => ({ lookup, reading: await read(requestOf(lookup), signal) })),
      );
      if (signal.aborted) return true;
      root.setAttribute('aria-busy', 'false');
      if (query.has('ending_before') && results.every((result) => pageOf(result)?.has_more === false))
        return false;
      const at = results.map(({ reading }) => (reading.kind === 'found' ? reading.at : undefined));
      shown = { query, at: at.find(Boolean), parts: partsOf(query, results) };
      render();
      return true;
    },
  };
}

/**
 * @param {Result} result
 * @returns {{ data: import('./list-section.js').Payment[], has_more: boolean } | undefined}
 */
const pageOf = ({ reading }) => (reading.kind === 'found' ? reading.body : undefined);

/** @param {Result} result */
const errorsOf = ({ reading }) => (reading.kind === 'problem' ? (reading.problem.errors ?? []) : []);

/** @param {URLSearchParams} lookup */
function requestOf(lookup) {
  const query = new URLSearchParams(lookup);
  if (!query.has('limit')) query.set('limit', String(pageSize));
  return `/payments?${query}`;
}

/** @param {URLSearchParams} query */
function textOfNothing(query) {
  const text = query.get('q');
  if (text !== null) return textOf('noneFoundFor', { text });
  return textOf(query.has('starting_after') ? 'noneOnPage' : 'noneFound');
}
