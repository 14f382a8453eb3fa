import { formatAmount } from './amount.js';
import { copyOf, get, setText } from './elements.js';
import {
  currentLanguage,
  formatAge,
  formatMoment,
  formatTime,
  textOf,
  textOfReason,
  translate,
} from './language.js';

/** @typedef {import('../snapshot.ts').WatchedPayment} Payment */

/** The latest payments, newest first. An open row stays until it is closed, so that it can be read. */
export function createPaymentsList() {
  const list = get('#payments');
  /** @type {Map<string, HTMLElement>} */
  const rows = new Map();
  /** The time of the snapshot that they are from. */
  let asOf = '';

  /** @param {number} now by the clock of the service, in ms since the epoch */
  function showAges(now) {
    for (const row of rows.values())
      setText(get('.age', row), formatAge(now - Date.parse(row.dataset.createdAt ?? '')));
  }

  return {
    /**
     * The ages of the rows alone, while the payments cannot be read, or the page is not connected.
     *
     * @param {number} now
     */
    showStale(now) {
      get('#payments-stale').hidden = asOf === '';
      if (asOf) setText(get('#payments-stale'), textOf('asOf', { moment: formatMoment(asOf, now) }));
      showAges(now);
    },
    /**
     * @param {Payment[]} payments
     * @param {string} at the time of the snapshot
     * @param {number} now
     */
    show(payments, at, now) {
      asOf = at;
      get('#payments-stale').hidden = true;
      get('#no-payments').hidden = payments.length > 0;
      const shown = new Set(payments.map(({ payment_id }) => payment_id));
      for (const [id, row] of rows) {
        if (shown.has(id) || get('details', row).hasAttribute('open')) continue;
        row.remove();
        rows.delete(id);
      }
      for (const payment of payments.toReversed()) {
        let row = rows.get(payment.payment_id);
        if (!row) {
          row = copyOf('payment');
          rows.set(payment.payment_id, row);
          list.prepend(row); // ids are ordered by time, so a new one is newer than those below
        }
        fill(row, payment);
      }
      showAges(now);
    },
  };
}

/**
 * @param {HTMLElement} row
 * @param {Payment} payment
 */
function fill(row, payment) {
  const text = JSON.stringify([payment, currentLanguage()]);
  if (row.dataset.shown === text) return;
  row.dataset.shown = text;
  translate(row);
  const { notification_service: provider, notification_status: status, reason } = payment;
  const part = (/** @type {string} */ selector) => get(selector, row);
  row.dataset.status = status;
  row.dataset.createdAt = payment.created_at;
  setText(part('time'), formatTime(payment.created_at));
  setText(part('.amount'), formatAmount(payment.amount, payment.currency, currentLanguage()));
  setText(part('.customer'), payment.customer_id);
  setText(part('.provider-name'), provider ?? textOf('noProviderYet'));
  part('.provider-name').dataset.provider = provider ?? 'none';
  setText(part('.status'), status);
  part('.duplicate').hidden = !payment.possible_duplicate;
  part('.payment-id').replaceChildren(linkTo(payment));
  setText(
    part('.why'),
    reason ? textOfReason(reason) : payment.attempts.length === 0 ? textOf('noAttempts') : '',
  );
  part('.attempts').replaceChildren(...payment.attempts.map(attemptOf));
}

/** @param {Payment} payment */
function linkTo({ payment_id }) {
  const link = document.createElement('a');
  link.href = `/live?payment=${encodeURIComponent(payment_id)}`;
  link.textContent = payment_id;
  return link;
}

/** @typedef {Payment['attempts'][number]} Attempt */

/** @param {Attempt} attempt */
function attemptOf(attempt) {
  const { provider, outcome, reason, started_at, duration_ms, mode } = attempt;
  const item = document.createElement('li');
  item.dataset.outcome = outcome ?? 'running';
  const result = outcome ? textOf(`outcome-${outcome}`) : textOf('running');
  const parts = [formatTime(started_at), `${provider}: ${result}`];
  if (mode) parts.push(textOf(`mode-${mode}`));
  if (reason) parts.push(textOfReason(reason));
  if (duration_ms !== null) parts.push(`${duration_ms} ms`);
  item.textContent = parts.join(' · ');
  const delivery = deliveryOf(attempt);
  if (delivery) item.append(delivery);
  return item;
}

/**
 * What became of the SMS, on a line of its own; undefined while no receipt has come.
 *
 * @param {Attempt} attempt
 */
function deliveryOf({ provider, deliveries }) {
  // Not `delivery`, for which one that was filtered or refused is undelivered.
  const counts = deliveries.find(({ status }) => status === 'delivered') ?? deliveries.at(-1);
  if (!counts) return undefined;
  const { status, reason, at } = counts;
  const line = document.createElement('div');
  line.className = 'delivery';
  line.dataset.delivery = status;
  const parts = [formatTime(at), `${provider}: ${textOf(`delivery-${status}`)}`];
  if (reason && reason !== status) parts.push(textOfReason(reason));
  line.textContent = parts.join(' · ');
  return line;
}
