import { get, setText } from '../elements.js';
import { textOf } from '../language.js';
import { showAges } from './build.js';
import { createPaymentList } from './payment-list.js';
import { createPaymentView } from './payment-view.js';
import { readFrom } from './reading.js';
import { createSearchForm } from './search-form.js';
import { newestHref, paymentHref, viewOf } from './url-state.js';

const agesEveryMs = 5000;

/**
 * The search, the list and the payment that the URL of the page asks for.
 *
 * @param {object} options
 * @param {() => number} options.now in ms since the epoch, by the clock of the service
 * @param {() => void} options.onView another view is shown
 * @param {(why: 'keyNeeded' | 'keyRefused') => void} options.onKey the key does not do
 */
export function createFind({ now, onView, onKey }) {
  let view = viewOfUrl();
  let backHref = '/live';
  let loading = new AbortController();

  /** @type {import('./reading.js').Read} */
  async function read(path, signal) {
    const reading = await readFrom(path, signal);
    if (reading.kind === 'keyNeeded' || reading.kind === 'keyRefused') onKey(reading.kind);
    return reading;
  }

  const form = createSearchForm(navigate);
  const list = createPaymentList({ read, now, showErrors: form.showErrors });
  const payment = createPaymentView({ read, now });

  /**
   * Shows what the URL asks for, and requests it. What was requested before is no longer wanted.
   *
   * @returns {Promise<boolean>} false if another load has taken its place
   */
  async function load() {
    loading.abort();
    loading = new AbortController();
    view = viewOfUrl();
    form.show(view);
    showView();
    onView();
    const { signal } = loading;
    if (view.name === 'payment') await payment.load(view.id, signal);
    if (view.name === 'list' && !(await list.load(view.query, signal))) {
      history.replaceState(null, '', newestHref(view.query));
      return load();
    }
    return !signal.aborted;
  }

  function showView() {
    get('#found').hidden = view.name !== 'list';
    get('#payment-view').hidden = view.name !== 'payment';
    get('#payment-back').setAttribute('href', backHref);
    setText(get('#payment-back'), textOf(backHref === '/live' ? 'backToOverview' : 'backToList'));
    const subject = {
      overview: [],
      list: [textOf('listTitle')],
      payment: [textOf('paymentTitle'), view.name === 'payment' ? view.id : ''],
    }[view.name];
    document.title = [subject.join(' '), textOf('title')].filter(Boolean).join(' · ');
  }

  /**
   * Goes to what the URL asks for now, with the focus on its heading, or on the row that led to the payment.
   *
   * @param {boolean} isBack
   */
  async function go(isBack) {
    const from = view;
    const loaded = load();
    if (view.name === 'payment') return get('#payment-title').focus();
    if (!(await loaded) || document.activeElement?.hasAttribute('aria-invalid')) return;
    const row = isBack && from.name === 'payment' ? rowOf(from.id) : undefined;
    (row ?? get(view.name === 'list' ? '#found-title' : '#page-title')).focus();
  }

  /**
   * @param {string} href
   * @param {boolean} [isBack]
   */
  function navigate(href, isBack = false) {
    const current = location.pathname + location.search;
    if (href === current) return void load(); // a refresh
    if (view.name !== 'payment') backHref = view.name === 'list' ? current : '/live';
    history.pushState(null, '', href);
    void go(isBack);
  }

  document.addEventListener('click', (event) => {
    const link = linkOfClick(event);
    if (!link) return;
    event.preventDefault();
    navigate(link.pathname + link.search, link.id === 'payment-back');
  });
  addEventListener('popstate', () => void go(true));
  setInterval(() => showAges(get('#find'), now()), agesEveryMs);

  return {
    load,
    isOverview: () => view.name === 'overview',
    /** Sets all texts in the current language. */
    translate() {
      form.translate();
      list.render();
      payment.render();
      showView();
    },
  };
}

const viewOfUrl = () => viewOf(new URLSearchParams(location.search));

/**
 * The link to a view of the page that was clicked; undefined if the browser is to follow it.
 *
 * @param {MouseEvent} event
 */
function linkOfClick({ target, button, ctrlKey, metaKey, shiftKey, altKey }) {
  const link = target instanceof Element ? target.closest('a') : null;
  if (!link || button !== 0 || ctrlKey || metaKey || shiftKey || altKey) return undefined;
  return link.origin === location.origin && link.pathname === '/live' ? link : undefined;
}

/** @param {string} id */
const rowOf = (id) =>
  [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('main a'))].find(
    (link) => link.getAttribute('href') === paymentHref(id) && link.checkVisibility(),
  );
