import {
  conditionsOf,
  providers,
  showConditions,
  textOfCondition,
  textOfHeld,
  textOfMixedModes,
} from './conditions.js';
import { get, setText } from './elements.js';
import { formatAge, formatMoment, formatNumber, textOf, textOfWord } from './language.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('./conditions.js').Condition} Condition */

/** @typedef {{ severity: string, name: string, reason: string, status: string, conditions: Condition[] }} Headline */

/** The headline: the active provider, or why there is none; and what is wrong. A change is announced to screen readers. */
export function createCurrentProvider() {
  /** @type {string | undefined} */
  let announced;

  /**
   * Without ages and countdowns, because they would be announced each second. The connection has a live region of its own.
   *
   * @param {Snapshot} snapshot
   * @param {Headline} headline
   */
  function announce({ circuits }, { name, status, conditions }) {
    const states = providers.map((provider) => `${provider}: ${textOf(circuits[provider].state)}.`);
    const key = JSON.stringify([
      name,
      status,
      states,
      conditions.map(({ kind, provider }) => [kind, provider]),
    ]);
    if (announced !== undefined && announced !== key)
      setText(
        get('#announcement'),
        [`${name}.`, `${status}.`, ...states, ...conditions.map(textOfCondition)].join(' '),
      );
    announced = key;
  }

  return {
    /**
     * @param {Snapshot} snapshot the last one
     * @param {number} now by the clock of the service, in ms since the epoch
     * @param {number | undefined} lostMs how long ago the snapshot came if the page is not connected now
     */
    show(snapshot, now, lostMs) {
      const headline = lostMs === undefined ? headlineOf(snapshot, now) : lostHeadlineOf(snapshot, lostMs);
      const section = get('#current-provider');
      section.dataset.provider = providerThatSends(snapshot) ?? 'none';
      section.dataset.circuit = snapshot.circuits.Aldeamo.state;
      section.dataset.severity = headline.severity;
      setText(get('#current-provider-name'), headline.name);
      setText(get('#current-provider-reason'), headline.reason);
      showConditions(get('#current-provider-faults'), headline.conditions);
      setText(get('#status'), headline.status);
      showBacklog(snapshot.backlog, now);
      showHeld(snapshot.held ?? null);
      if (lostMs === undefined) announce(snapshot, headline);
    },
  };
}

/**
 * @param {Snapshot} snapshot
 * @param {number} now
 * @returns {Headline}
 */
function headlineOf(snapshot, now) {
  const conditions = conditionsOf(snapshot, now);
  return {
    severity: severityOf(snapshot, conditions),
    name: nameOf(snapshot),
    reason: reasonOf(snapshot, conditions),
    status: snapshot.status ?? '–', // a replica of an older release does not report it
    conditions,
  };
}

/**
 * @param {Snapshot} snapshot
 * @param {number} lostMs
 * @returns {Headline}
 */
const lostHeadlineOf = (snapshot, lostMs) => ({
  severity: 'unknown',
  name: textOf('lastSeen', { age: formatAge(lostMs) }),
  reason: textOf('lastState', { headline: nameOf(snapshot) }),
  status: '–',
  conditions: [],
});

/** @param {Snapshot} snapshot */
const providerThatSends = ({ current_notification_service, store_fault, payments }) =>
  store_fault || payments === null ? null : current_notification_service;

/** @param {Snapshot} snapshot */
function nameOf({ current_notification_service: provider, circuits, store_fault, payments }) {
  if (store_fault) return textOf('paymentsRefused', { reason: textOfWord('store', store_fault) });
  if (payments === null) return textOf('paymentsUnreadable');
  if (provider === null) return textOf('noActiveProvider');
  if (circuits[provider].mode === null) return textOf('activeUnknown');
  const isIdle = textOfMixedModes(circuits) !== null && circuits[provider].mode === 'sandbox';
  return textOf(isIdle ? 'activeSandbox' : 'activeProvider', { provider });
}

/**
 * How Aldeamo's circuit is, where no condition says more.
 *
 * @param {Snapshot} snapshot
 * @param {Condition[]} conditions
 */
function reasonOf(snapshot, conditions) {
  const { circuits, current_notification_service: provider } = snapshot;
  if (snapshot.store_fault) return textOf('nothingIsLost');
  if (provider && circuits[provider].mode === null) return textOf('providerUnknown', { provider });
  if (conditions.some(({ provider }) => provider === 'Aldeamo')) return '';
  return textOf(
    circuits.Twilio.state !== 'closed' || textOfMixedModes(circuits) ? 'circuitClosedAlone' : 'circuitClosed',
  );
}

/**
 * Good only if it is known that SMS go out as they should.
 *
 * @param {Snapshot} snapshot
 * @param {Condition[]} conditions
 */
function severityOf(snapshot, conditions) {
  const provider = providerThatSends(snapshot);
  const has = (/** @type {string} */ severity) =>
    conditions.some((condition) => condition.severity === severity);
  if (provider === null || snapshot.status === 'unhealthy' || has('bad')) return 'bad';
  if (provider !== 'Aldeamo' || snapshot.status === 'degraded' || has('wait')) return 'wait';
  return snapshot.status === 'healthy' && snapshot.circuits[provider].mode !== null ? 'good' : 'unknown';
}

/**
 * @param {Snapshot['backlog']} backlog null while the store is unavailable
 * @param {number} now
 */
function showBacklog(backlog, now) {
  setText(get('#backlog'), backlog ? formatNumber(backlog.size) : '–');
  get('#oldest').hidden = !backlog?.oldest_at;
  if (backlog?.oldest_at) setText(get('#backlog-oldest'), formatMoment(backlog.oldest_at, now));
}

/** @param {Record<string, number> | null} held null while they cannot be counted */
function showHeld(held) {
  const count = Object.values(held ?? {}).reduce((sum, each) => sum + each, 0);
  get('#held-figure').hidden = count === 0;
  setText(get('#held'), formatNumber(count));
  get('#held-reasons').hidden = count === 0;
  setText(get('#held-reasons'), textOfHeld(held ?? {}));
}
