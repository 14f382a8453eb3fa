import { get, setText } from './elements.js';
import { formatTime, textOf, textOfCircuitReason } from './language.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */

/** The active provider, and why it is active. A change is announced to screen readers. */
export function createCurrentProvider() {
  /** @type {string | undefined} */
  let announced;

  return {
    /**
     * @param {Snapshot} snapshot
     * @param {number} now by the clock of the service, in ms since the epoch
     */
    show({ current_notification_service: provider, circuits, backlog }, now) {
      const name = provider ? textOf('activeProvider', { provider }) : textOf('noActiveProvider');
      const section = get('#current-provider');
      section.dataset.provider = provider ?? 'none';
      section.dataset.circuit = circuits.Aldeamo.state;
      setText(get('#current-provider-name'), name);
      setText(get('#current-provider-reason'), reasonOfCircuit(circuits.Aldeamo, now));
      setText(get('#backlog'), backlog ? String(backlog.size) : '–');
      get('#oldest').hidden = !backlog?.oldest_at;
      if (backlog?.oldest_at) setText(get('#backlog-oldest'), formatTime(backlog.oldest_at));

      const announcement = `${name}. Aldeamo: ${textOf(circuits.Aldeamo.state)}. Twilio: ${textOf(circuits.Twilio.state)}.`;
      if (announced !== undefined && announced !== announcement) setText(get('#announcement'), announcement);
      announced = announcement;
    },
  };
}

/**
 * @param {Snapshot['circuits']['Aldeamo']} circuit
 * @param {number} now
 */
function reasonOfCircuit({ state, reason, next_probe_at, throttled_until }, now) {
  if (state === 'closed') return throttled_until ? textOf('throttled') : textOf('circuitClosed');
  const why = textOf('circuitNotClosed', { reason: textOfCircuitReason(reason) });
  const seconds = next_probe_at ? Math.ceil((Date.parse(next_probe_at) - now) / 1000) : 0;
  return `${why} ${seconds > 0 ? textOf('probeIn', { seconds }) : textOf('probeNow')}`;
}
