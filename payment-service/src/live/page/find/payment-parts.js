import { formatAmount } from '../amount.js';
import { currentLanguage, textOf } from '../language.js';
import { actionOf, attemptOf } from './attempt.js';
import { copyable, element, factsOf, link, moment, reasonOf, statusChip } from './build.js';
import { listHref } from './url-state.js';

/** @typedef {import('./list-section.js').Payment} Payment */
/** @typedef {import('../language.js').TextKey} TextKey */
/** @typedef {import('./build.js').Fact} Fact */

/**
 * All that is shown of a payment.
 *
 * @param {Payment} payment
 */
export function partsOf(payment) {
  const { notification, metadata, actions } = payment;
  const names = Object.entries(metadata);
  return [
    statusOf(payment),
    factsOf(factsOfPayment(payment)),
    ...(names.length > 0 ? [part('metadataTitle', factsOf(names))] : []),
    part('attemptsTitle', listOf(notification.attempts.map(attemptOf), 'noAttempts')),
    part('actionsTitle', listOf(actions.map(actionOf), 'noActions')),
  ];
}

/**
 * @param {TextKey} title
 * @param {HTMLElement} content
 */
const part = (title, content) =>
  element('section', 'payment-part', element('h3', '', textOf(title)), content);

/**
 * @param {HTMLElement[]} items
 * @param {TextKey} nothing
 */
const listOf = (items, nothing) =>
  items.length > 0 ? element('ol', 'payment-list', ...items) : element('p', 'hint', textOf(nothing));

/** @param {Payment} payment */
function statusOf({ notification_status: status, notification, possible_duplicate }) {
  const state = element('p', 'payment-state', statusChip(status));
  if (possible_duplicate) state.append(element('span', 'chip duplicate', textOf('duplicate')));
  if (notification.reason) state.append(reasonOf(notification.reason));
  const box = element('div', '', state, element('p', 'hint', textOf(`means-${status}`)));
  box.dataset.status = status;
  return box;
}

/**
 * @param {Payment} payment
 * @returns {Fact[]}
 */
function factsOfPayment(payment) {
  const { customer_id, reference, client, notification, notification_status: status } = payment;
  const { segments, encoding, next_attempt_at } = notification;
  return [
    [textOf('factPaymentId'), copyable(payment.payment_id, 'factPaymentId')],
    [textOf('factAmount'), formatAmount(payment.amount, payment.currency, currentLanguage())],
    [
      textOf('factCustomer'),
      copyable(
        customer_id,
        'factCustomer',
        link(listHref(new URLSearchParams({ customer_id })), customer_id),
      ),
    ],
    reference !== null && [
      textOf('factReference'),
      copyable(reference, 'factReference', link(listHref(new URLSearchParams({ reference })), reference)),
    ],
    client !== null && [textOf('factClient'), link(listHref(new URLSearchParams({ client })), client)],
    [textOf('factProvider'), payment.notification_service ?? textOf('noProviderYet')],
    [textOf('factSms'), textOf('factSegments', { segments, encoding })],
    timeOf('factCreated', payment.created_at),
    timeOf('factUpdated', payment.updated_at),
    timeOf('factSent', payment.sent_at),
    timeOf('factDelivered', payment.delivered_at),
    timeOf('factNextAttempt', next_attempt_at),
    ['pending', 'held'].includes(status) && timeOf('factExpires', payment.expires_at),
  ];
}

/**
 * @param {TextKey} name
 * @param {string | null} at
 * @returns {Fact}
 */
const timeOf = (name, at) => at !== null && [textOf(name), moment(at)];
