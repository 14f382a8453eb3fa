import { copyOf, get, setText } from './elements.js';
import {
  formatNumber,
  formatPercent,
  formatTime,
  textOf,
  textOfCircuitReason,
  textOfRefusal,
  translate,
} from './language.js';
import { createPlot } from './plot.js';
import { activeControl, applyControl } from './sandbox-controls.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */
/** @typedef {'Aldeamo' | 'Twilio'} Provider */

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
  const plot = createPlot(part('.plot'));
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (card.querySelectorAll('[data-control]'));
  for (const button of buttons)
    button.addEventListener('click', () => void applyControl(provider, button.dataset.control ?? ''));

  return {
    /** Sets all texts in the current language. */
    translate() {
      translate(card);
      setText(part('.role'), textOf(provider === 'Aldeamo' ? 'primary' : 'fallback'));
      part('.controls').setAttribute('aria-label', textOf('controls', { provider }));
    },
    /** @param {Snapshot} snapshot */
    show({ at, circuits, recent, levers: sandboxSettings, replica, replicas }) {
      const { state, since, reason, last_check, next_probe_at, mode, account } = circuits[provider];
      card.dataset.circuit = state;
      setText(part('.state'), textOf(state));
      const reasons = [textOf('since', { time: formatTime(since), reason: textOfCircuitReason(reason) })];
      if (next_probe_at) reasons.push(textOf('nextProbe', { time: formatTime(next_probe_at) }));
      setText(part('.reason'), reasons.join(' · '));
      part('.last-check').hidden = !last_check;
      if (last_check) {
        const check = { time: formatTime(last_check.at), reason: textOfCircuitReason(last_check.reason) };
        setText(part('.last-check'), textOf('lastCheck', check));
      }

      setText(part('.mode'), textOf(`mode-${mode ?? 'unknown'}`));
      part('.no-receipts').hidden = !(provider === 'Aldeamo' && mode === 'live');
      showAccount(card, account);

      const isOnlyOne = replicas.length < 2;
      part('.replicas').hidden = isOnlyOne;
      setText(part('.replica-hint'), textOf('seenBy', { replica }));
      showReplicas(part('.replicas ul'), provider, isOnlyOne ? [] : replicas);

      const calls = sumUp(recent[provider]);
      setText(part('.success'), calls.judged > 0 ? formatPercent(calls.accepted / calls.judged) : '–');
      setText(
        part('.latency'),
        calls.attempts > 0 ? `${Math.round(calls.totalMs / calls.attempts)} ms` : '–',
      );
      setText(part('.count'), String(calls.attempts));
      const label = { provider, count: calls.attempts, failed: calls.failed };
      part('.plot').setAttribute('aria-label', textOf('plot', label));
      plot.show(recent[provider], at);

      const settings = sandboxSettings[provider];
      part('.controls').hidden = settings === null;
      part('.no-controls').hidden = settings !== null;
      const active = settings && activeControl(settings);
      for (const button of buttons)
        button.setAttribute('aria-pressed', String(button.dataset.control === active));
    },
  };
}

/**
 * @param {HTMLElement} card
 * @param {Snapshot['circuits']['Aldeamo']['account']} account null for a sandbox
 */
function showAccount(card, account) {
  const refusal = textOfRefusal(account);
  get('.account', card).hidden = refusal === null;
  setText(get('.account', card), refusal ?? '');
  const balance = account?.balance ?? null;
  get('.balance', card).hidden = balance === null;
  setText(
    get('.balance', card),
    balance === null ? '' : textOf('balanceLeft', { balance: formatNumber(balance) }),
  );
}

/**
 * @param {HTMLElement} list
 * @param {Provider} provider
 * @param {Snapshot['replicas']} replicas each has a circuit of its own
 */
function showReplicas(list, provider, replicas) {
  while (list.children.length > replicas.length) list.lastElementChild?.remove();
  while (list.children.length < replicas.length) list.append(copyOf('replica'));
  replicas.forEach(({ name, circuits }, index) => {
    const row = /** @type {HTMLElement} */ (list.children[index]);
    row.dataset.circuit = circuits[provider].state;
    setText(get('.name', row), name);
    setText(get('.state', row), textOf(circuits[provider].state));
  });
}

/** @param {Snapshot['recent']['Aldeamo']} buckets */
function sumUp(buckets) {
  const sum = { attempts: 0, accepted: 0, failed: 0, judged: 0, totalMs: 0 };
  for (const { attempts, accepted, failed, mean_ms } of buckets) {
    sum.attempts += attempts;
    sum.accepted += accepted;
    sum.failed += failed;
    sum.judged += accepted + failed;
    sum.totalMs += mean_ms * attempts;
  }
  return sum;
}
