import { textOf } from '../language.js';
import { copyable, element, factsOf, moment, reasonOf } from './build.js';

/** @typedef {import('./list-section.js').Payment['notification']['attempts'][number]} Attempt */
/** @typedef {import('./list-section.js').Payment['actions'][number]} Action */

/**
 * One call to a provider, and what its receipts said.
 *
 * @param {Attempt} attempt
 */
export function attemptOf(attempt) {
  const { provider, outcome, reason, started_at, duration_ms, mode, phone_last4, message_id } = attempt;
  const result = element('p', 'attempt-result', element('strong', '', provider), ': ');
  result.append(textOf(outcome ? `outcome-${outcome}` : 'running'));
  if (reason) result.append(' · ', reasonOf(reason));
  const facts = factsOf([
    [textOf('attemptStarted'), moment(started_at)],
    duration_ms !== null && [textOf('attemptDuration'), `${duration_ms} ms`],
    phone_last4 !== null && [textOf('attemptPhone'), textOf('attemptPhoneEnd', { digits: phone_last4 })],
    mode !== null && [textOf('attemptMode'), textOf(`mode-${mode}`)],
    message_id !== null && [textOf('attemptMessage'), copyable(message_id, 'attemptMessage')],
    outcome === 'accepted' && [textOf('receiptsTitle'), receiptsOf(attempt)],
  ]);
  const item = element('li', '', result, facts);
  item.dataset.outcome = outcome ?? 'running';
  return item;
}

/** @param {Attempt} attempt */
function receiptsOf({ deliveries }) {
  if (deliveries.length === 0) return textOf('noReceiptYet');
  return element(
    'ul',
    'receipts',
    ...deliveries.map(({ status, reason, at }) => {
      const item = element('li', 'delivery', textOf(`delivery-${status}`), ' · ', moment(at));
      item.dataset.delivery = status;
      if (reason && reason !== status) item.append(' · ', reasonOf(reason));
      return item;
    }),
  );
}

/**
 * What an operator has done about the notification.
 *
 * @param {Action} action
 */
export function actionOf({ at, by, action, reason, provider }) {
  const who = by ? textOf('actionBy', { name: by }) : textOf('actionWithoutKey');
  const parts = [textOf(`action-${action}`), ...(provider ? [provider] : []), who];
  const item = element('li', '', parts.join(' · '), ' · ', moment(at));
  if (reason) item.append(' · ', element('q', '', reason));
  return item;
}
