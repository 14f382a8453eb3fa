import { get, setText } from './elements.js';
import { say, sayCircuitReason, sayTime } from './language.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */

/** Who carries the traffic, and why. Its change is announced to those who do not see it. */
export function createCarrier() {
  /** @type {string | undefined} */
  let announced;

  return {
    /**
     * @param {Snapshot} snapshot
     * @param {number} now by the clock of the service, in ms since the epoch
     */
    show({ current_notification_service: provider, circuits, backlog }, now) {
      const name = provider ? say('carried', { provider }) : say('carriedByNobody');
      const section = get('#carrier');
      section.dataset.provider = provider ?? 'none';
      section.dataset.circuit = circuits.Aldeamo.state;
      setText(get('#carrier-name'), name);
      setText(get('#carrier-why'), whyIs(circuits.Aldeamo, now));
      setText(get('#backlog'), backlog ? String(backlog.size) : '–');
      get('#oldest').hidden = !backlog?.oldest_at;
      if (backlog?.oldest_at) setText(get('#backlog-oldest'), sayTime(backlog.oldest_at));

      const news = `${name}. Aldeamo: ${say(circuits.Aldeamo.state)}. Twilio: ${say(circuits.Twilio.state)}.`;
      if (announced !== undefined && announced !== news) setText(get('#announcement'), news);
      announced = news;
    },
  };
}

/**
 * @param {Snapshot['circuits']['Aldeamo']} circuit
 * @param {number} now
 */
function whyIs({ state, reason, next_probe_at, throttled_until }, now) {
  if (state === 'closed') return throttled_until ? say('throttled') : say('allWell');
  const why = say('takenOver', { reason: sayCircuitReason(reason) });
  const seconds = next_probe_at ? Math.ceil((Date.parse(next_probe_at) - now) / 1000) : 0;
  return `${why} ${seconds > 0 ? say('probeIn', { seconds }) : say('probeNow')}`;
}
