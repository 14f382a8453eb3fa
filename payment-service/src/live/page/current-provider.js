import { get, setText } from './elements.js';
import { formatTime, textOf, textOfCircuitReason, textOfRefusal } from './language.js';

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
    show({ status, current_notification_service: provider, circuits, backlog }, now) {
      const mixedModes = textOfMixedModes(circuits);
      const isIdle = provider !== null && mixedModes !== null && circuits[provider].mode === 'sandbox';
      const active = isIdle ? 'activeSandbox' : 'activeProvider';
      const name = provider ? textOf(active, { provider }) : textOf('noActiveProvider');
      const section = get('#current-provider');
      section.dataset.provider = provider ?? 'none';
      section.dataset.status = status;
      const health = status ? textOf(status) : '–'; // a replica of an older release does not report it
      section.dataset.circuit = circuits.Aldeamo.state;
      setText(get('#current-provider-name'), name);
      setText(get('#current-provider-reason'), reasonOfCircuit(circuits, now));
      const refusal = provider && textOfRefusal(circuits[provider].account);
      const faults = [refusal, mixedModes].filter((fault) => fault !== null);
      section.dataset.faults = String(faults.length > 0);
      setText(get('#current-provider-faults'), faults.join(' '));
      setText(get('#status'), health);
      showBacklog(backlog);

      const states = `Aldeamo: ${textOf(circuits.Aldeamo.state)}. Twilio: ${textOf(circuits.Twilio.state)}.`;
      const announcement = [`${name}.`, `${health}.`, ...faults, states].join(' ');
      if (announced !== undefined && announced !== announcement) setText(get('#announcement'), announcement);
      announced = announcement;
    },
  };
}

/** @param {Snapshot['backlog']} backlog null while the store is unavailable */
function showBacklog(backlog) {
  setText(get('#backlog'), backlog ? String(backlog.size) : '–');
  get('#oldest').hidden = !backlog?.oldest_at;
  if (backlog?.oldest_at) setText(get('#backlog-oldest'), formatTime(backlog.oldest_at));
}

/**
 * That one provider is live and the other a sandbox; null if not.
 *
 * @param {Snapshot['circuits']} circuits
 */
function textOfMixedModes({ Aldeamo, Twilio }) {
  if (Aldeamo.mode === 'live' && Twilio.mode === 'sandbox')
    return textOf('mixedModes', { live: 'Aldeamo', sandbox: 'Twilio' });
  if (Twilio.mode === 'live' && Aldeamo.mode === 'sandbox')
    return textOf('mixedModes', { live: 'Twilio', sandbox: 'Aldeamo' });
  return null;
}

/**
 * @param {Snapshot['circuits']} circuits
 * @param {number} now
 */
function reasonOfCircuit(circuits, now) {
  const { state, reason, next_probe_at, throttled_until } = circuits.Aldeamo;
  if (state === 'closed' && throttled_until) return textOf('throttled');
  if (state === 'closed') return textOf(textOfMixedModes(circuits) ? 'circuitClosedAlone' : 'circuitClosed');
  const why = textOf('circuitNotClosed', { reason: textOfCircuitReason(reason) });
  const seconds = next_probe_at ? Math.ceil((Date.parse(next_probe_at) - now) / 1000) : 0;
  return `${why} ${seconds > 0 ? textOf('probeIn', { seconds }) : textOf('probeNow')}`;
}
