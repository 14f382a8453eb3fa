import { get, setText } from '../elements.js';
import { currentLanguage, formatTime, textOf } from '../language.js';
import { showAges } from './build.js';
import { partsOf } from './payment-parts.js';
import { readingError } from './reading-error.js';

/** @typedef {import('./list-section.js').Payment} Payment */
/** @typedef {import('./reading.js').Reading} Reading */

const everyMs = 3000;
const ended = ['delivered', 'failed', 'cancelled'];

/**
 * One payment with all that is known of its notification. It is read again until it has ended.
 *
 * @param {object} options
 * @param {import('./reading.js').Read} options.read
 * @param {() => number} options.now
 */
export function createPaymentView({ read, now }) {
  const root = get('#payment-view');
  /** @type {{ payment: Payment, at: string } | undefined} */
  let shown;
  /** @type {Reading | undefined} why the last request found nothing */
  let failure;
  let rendered = '';

  function render() {
    showError();
    const content = JSON.stringify([shown?.payment, currentLanguage()]);
    if (content !== rendered) {
      rendered = content;
      const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.focus;
      get('#payment-parts').replaceChildren(...(shown ? partsOf(shown.payment) : []));
      if (focused)
        /** @type {HTMLElement | null} */ (
          root.querySelector(`[data-focus="${CSS.escape(focused)}"]`)
        )?.focus();
    }
    showAges(root, now());
  }

  function showError() {
    const box = get('#payment-error');
    const error = failure && readingError(failure);
    if (error && shown) error.append(' ', textOf('stillAsOf', { time: formatTime(shown.at) }));
    if (box.textContent !== (error?.textContent ?? '')) box.replaceChildren(...(error ? [error] : []));
  }

  /** @param {Reading} reading */
  function show(reading) {
    failure = reading.kind === 'found' ? undefined : reading;
    if (reading.kind === 'found') shown = { payment: reading.body, at: reading.at };
    setText(get('#payment-loading'), '');
    render();
  }

  function clear() {
    shown = undefined;
    failure = undefined;
    render();
    setText(get('#payment-loading'), textOf('loadingText'));
  }

  return {
    render,
    /**
     * Reads the payment, and reads it again until it has ended or does not exist.
     *
     * @param {string} id
     * @param {AbortSignal} signal
     */
    async load(id, signal) {
      if (shown?.payment.payment_id !== id) clear();
      for (;;) {
        const reading = await read(`/payments/${encodeURIComponent(id)}`, signal);
        if (signal.aborted) return;
        show(reading);
        if (isFinal(reading)) return;
        await pauseWhileVisible(signal);
      }
    },
  };
}

/**
 * Whether reading it again would find the same: what failed of the connection or the store may not.
 *
 * @param {Reading} reading
 */
function isFinal(reading) {
  if (reading.kind === 'found') return ended.includes(reading.body.notification_status);
  if (reading.kind !== 'problem') return reading.kind !== 'unreachable';
  return reading.status < 500
    ? reading.status !== 429
    : reading.problem.type === '/problems/payment-unreadable';
}

/**
 * Waits until the next read is due, and the page is looked at.
 *
 * @param {AbortSignal} signal
 */
async function pauseWhileVisible(signal) {
  do await new Promise((resolve) => setTimeout(resolve, everyMs));
  while (document.hidden && !signal.aborted);
}
