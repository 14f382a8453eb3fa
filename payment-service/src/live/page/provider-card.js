import { createCallFigures } from './call-figures.js';
import { conditionsOfProvider, showConditions } from './conditions.js';
import { copyOf, get, setText, showEach } from './elements.js';
import {
  formatMoment,
  formatNumber,
  formatTime,
  textOf,
  textOfCircuitReason,
  textOfWord,
  translate,
} from './language.js';
import { applies, applyChoice } from './sandbox-controls.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */
/** @typedef {import('./conditions.js').Provider} Provider */

/**
 * One provider: its mode, its account, its circuit, the outcomes of its calls, and the controls of its sandbox.
 *
 * @param {HTMLElement} parent
 * @param {Provider} provider
 */
export function createProviderCard(parent, provider) {
  const card = copyOf('provider');
  parent.append(card);
  const part = (/** @type {string} */ selector) => get(selector, card);
  const title = part('h2');
  title.id = `provider-${provider}`;
  title.textContent = provider;
  card.setAttribute('aria-labelledby', title.id);
  card.dataset.provider = provider;
  // On a small screen they are folded, so that the payments are near.
  const isWide = !matchMedia('(max-width: 44rem)').matches;
  for (const fold of card.querySelectorAll('details.fold')) fold.toggleAttribute('open', isWide);
  const figures = createCallFigures(card, provider);
  const showSandbox = createSandboxControls(card, provider);

  return {
    /** Sets all texts in the current language. */
    translate() {
      translate(card);
      setText(part('.role'), textOf(provider === 'Aldeamo' ? 'primary' : 'fallback'));
      part('.sandbox').setAttribute('aria-label', textOf('controls', { provider }));
    },
    /**
     * @param {Snapshot} snapshot
     * @param {number} now by the clock of the service, in ms since the epoch
     */
    show(snapshot, now) {
      const { circuits, recent, levers: sandboxSettings, replica, replicas } = snapshot;
      const { mode, account } = circuits[provider];
      showCircuit(card, circuits[provider], now);
      setText(part('.mode'), textOfWord('mode', mode ?? 'unknown'));
      part('.no-receipts').hidden = !(provider === 'Aldeamo' && mode === 'live');
      showConditions(part('.conditions'), conditionsOfProvider(snapshot, provider, now));
      const balance = account?.balance ?? null;
      part('.balance').hidden = balance === null;
      if (balance !== null)
        setText(part('.balance'), textOf('balanceLeft', { balance: formatNumber(balance) }));

      const isOnlyOne = replicas.length < 2;
      part('.replicas').hidden = isOnlyOne;
      setText(part('.replica-hint'), textOf('seenBy', { replica }));
      showReplicas(part('.replicas ul'), provider, isOnlyOne ? [] : replicas);
      figures.show(recent[provider], now);
      showSandbox(sandboxSettings[provider]);
    },
  };
}

/**
 * The state of the circuit, since when and why, in words and, unless it is closed, as the service reports it. A circuit of which
 * nothing is known is closed, too.
 *
 * @param {HTMLElement} card
 * @param {Snapshot['circuits']['Aldeamo']} circuit
 * @param {number} now
 */
function showCircuit(card, { state, since, reason, last_check, next_probe_at, mode }, now) {
  const part = (/** @type {string} */ selector) => get(selector, card);
  card.dataset.circuit = state === 'closed' && mode === null ? 'unknown' : state;
  setText(part('.state'), textOf(state));
  const reasons = [
    textOf('since', { moment: formatMoment(since, now), reason: textOfCircuitReason(reason) }),
  ];
  if (next_probe_at) reasons.push(textOf('nextProbe', { time: formatTime(next_probe_at) }));
  setText(part('.reason'), reasons.join(' · '));
  part('.raw').hidden = state === 'closed';
  setText(part('.raw'), reason);
  part('.last-check').hidden = !last_check;
  if (!last_check) return;
  const check = { moment: formatMoment(last_check.at, now), reason: textOfCircuitReason(last_check.reason) };
  setText(part('.last-check'), textOf('lastCheck', check));
}

/**
 * @param {HTMLElement} card
 * @param {Provider} provider
 * @returns a function that shows the settings of the sandbox; null if it has none
 */
function createSandboxControls(card, provider) {
  const radios = /** @type {NodeListOf<HTMLInputElement>} */ (card.querySelectorAll('input[data-group]'));
  let underWay = 0;
  /** @type {Snapshot['levers']['Aldeamo']} */
  let latest = null;
  /**
   * The settings of a snapshot from before the last choice, which is shown again and again until the next one comes.
   *
   * @type {Snapshot['levers']['Aldeamo']}
   */
  let outdated = null;
  for (const radio of radios) {
    const group = radio.dataset.group ?? '';
    radio.name = `${provider}-${group}`;
    radio.addEventListener('change', async () => {
      underWay += 1;
      if (await applyChoice(provider, group, radio.value)) outdated = latest;
      underWay -= 1;
    });
  }
  return (/** @type {Snapshot['levers']['Aldeamo']} */ settings) => {
    get('.sandbox', card).hidden = settings === null;
    get('.no-controls', card).hidden = settings !== null;
    latest = settings;
    // A snapshot of before would undo the choice for a moment.
    if (settings === null || underWay > 0 || settings === outdated) return;
    for (const radio of radios) radio.checked = applies(settings, radio.dataset.group ?? '', radio.value);
  };
}

/**
 * @param {HTMLElement} list
 * @param {Provider} provider
 * @param {Snapshot['replicas']} replicas each has a circuit of its own
 */
function showReplicas(list, provider, replicas) {
  showEach(
    list,
    replicas,
    () => copyOf('replica'),
    (row, { name, circuits }) => {
      row.dataset.circuit = circuits[provider].state;
      setText(get('.name', row), name);
      setText(get('.state', row), textOf(circuits[provider].state));
    },
  );
}
