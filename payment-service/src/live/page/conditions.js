import { setText, showEach } from './elements.js';
import {
  formatMoment,
  formatNumber,
  formatTime,
  textOf,
  textOfCircuitReason,
  textOfReason,
} from './language.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */
/** @typedef {'Aldeamo' | 'Twilio'} Provider */
/** @typedef {NonNullable<Snapshot['holds']['Aldeamo']>} Hold */
/** @typedef {{ kind: string, severity: 'bad' | 'wait' | 'note', text: string, provider?: Provider }} Condition */

/** @type {Provider[]} */
export const providers = ['Aldeamo', 'Twilio'];

/**
 * The operator's hold of a provider; null without one.
 *
 * @param {Pick<Snapshot, 'holds'>} snapshot
 * @param {Provider} provider
 */
const holdOf = ({ holds }, provider) => holds?.[provider] ?? null; // a replica of an earlier release sends none

/**
 * What keeps a provider from sending, or is wrong with it, apart from its circuit.
 *
 * @param {Snapshot} snapshot
 * @param {Provider} provider
 * @param {number} now by the clock of the service, in ms since the epoch
 * @returns {Condition[]}
 */
export function conditionsOfProvider(snapshot, provider, now) {
  const { throttled_until, account } = snapshot.circuits[provider];
  /** @type {Condition[]} */
  const found = [];
  const hold = holdOf(snapshot, provider);
  if (hold) found.push({ kind: 'hold', severity: 'wait', text: textOfHold(hold, now) });
  if (account?.state === 'refused') {
    const values = {
      moment: formatMoment(account.since, now),
      reason: account.reason ? textOfReason(account.reason) : textOf('noReason'),
    };
    found.push({ kind: 'refused', severity: 'bad', text: textOf('accountRefused', values) });
  }
  if (account?.state === 'unknown')
    found.push({ kind: 'unknown', severity: 'note', text: textOf('accountUnknown') });
  if (throttled_until) {
    const seconds = Math.max(0, Math.ceil((Date.parse(throttled_until) - now) / 1000));
    found.push({
      kind: 'throttled',
      severity: 'wait',
      text: textOf('throttled', { time: formatTime(throttled_until), seconds }),
    });
  }
  return found;
}

/**
 * @param {Hold} hold
 * @param {number} now
 */
function textOfHold({ since, until, by, reason }, now) {
  const ends = until ? textOf('holdUntil', { time: formatTime(until) }) : textOf('holdOpenEnd');
  const who = by ? textOf('holdBy', { by }) : '';
  return textOf('providerHeld', { moment: formatMoment(since, now), who, ends, reason });
}

/**
 * Why a circuit is not closed, since when, and when it is checked next; undefined of a closed one.
 *
 * @param {Snapshot['circuits']['Aldeamo']} circuit
 * @param {number} now
 */
function textOfCircuit({ state, since, reason, next_probe_at }, now) {
  if (state === 'closed') return undefined;
  const seconds = next_probe_at ? Math.ceil((Date.parse(next_probe_at) - now) / 1000) : 0;
  const why = { moment: formatMoment(since, now), reason: textOfCircuitReason(reason) };
  const next = seconds > 0 ? textOf('probeIn', { seconds }) : textOf('probeNow');
  return `${textOf(`circuit-${state}`, why)} ${next}`;
}

/**
 * All that an operator has to know beside the active provider, the worst first.
 *
 * @param {Snapshot} snapshot
 * @param {number} now
 * @returns {Condition[]}
 */
export function conditionsOf(snapshot, now) {
  /** @type {Condition[]} */
  const found = [];
  for (const provider of providers) {
    const circuit = textOfCircuit(snapshot.circuits[provider], now);
    if (circuit) found.push({ kind: 'circuit', severity: 'wait', text: circuit, provider });
    for (const condition of conditionsOfProvider(snapshot, provider, now))
      found.push({ ...condition, provider });
  }
  const mixed = textOfMixedModes(snapshot.circuits);
  if (mixed) found.push({ kind: 'mixed', severity: 'bad', text: mixed });
  if (snapshot.dead_letters)
    found.push({
      kind: 'dead',
      severity: 'wait',
      text: textOf('deadLetters', { count: formatNumber(snapshot.dead_letters) }),
    });
  const ranks = ['bad', 'wait', 'note'];
  return found.toSorted((one, other) => ranks.indexOf(one.severity) - ranks.indexOf(other.severity));
}

/**
 * That one provider is live and the other a sandbox; null if not.
 *
 * @param {Snapshot['circuits']} circuits
 */
export function textOfMixedModes({ Aldeamo, Twilio }) {
  if (Aldeamo.mode === 'live' && Twilio.mode === 'sandbox')
    return textOf('mixedModes', { live: 'Aldeamo', sandbox: 'Twilio' });
  if (Twilio.mode === 'live' && Aldeamo.mode === 'sandbox')
    return textOf('mixedModes', { live: 'Twilio', sandbox: 'Aldeamo' });
  return null;
}

/** @param {Condition} condition */
export const textOfCondition = ({ provider, text }) => (provider ? `${provider}: ${text}` : text);

/**
 * @param {HTMLElement} list
 * @param {Condition[]} conditions
 */
export function showConditions(list, conditions) {
  list.hidden = conditions.length === 0;
  showEach(
    list,
    conditions,
    () => document.createElement('li'),
    (item, condition) => {
      item.dataset.severity = condition.severity;
      setText(item, textOfCondition(condition));
    },
  );
}

/**
 * How many notifications are held for each reason, the most frequent first.
 *
 * @param {Record<string, number>} held
 */
export const textOfHeld = (held) =>
  Object.entries(held)
    .filter(([, count]) => count > 0)
    .toSorted(([, one], [, other]) => other - one)
    .map(([reason, count]) => `${formatNumber(count)}: ${textOfReason(reason)}`)
    .join(' · ');
