import { get, setText } from './elements.js';
import { formatNumber, formatPercent, textOf } from './language.js';
import { createPlots } from './plot.js';

/** @typedef {import('../snapshot.ts').Snapshot['recent']['Aldeamo']} Buckets */

const minuteMs = 60_000;

/**
 * The share of a provider's calls that it accepted, of the last minute beside that of five, because one alone misleads while an
 * outage begins or ends; and their plots, unless there is nothing to plot.
 *
 * @param {HTMLElement} card
 * @param {string} provider
 */
export function createCallFigures(card, provider) {
  const part = (/** @type {string} */ selector) => get(selector, card);
  const plots = createPlots(part('.plot.calls'), part('.plot.latencies'));

  return {
    /**
     * @param {Buckets} recent
     * @param {number} now by the clock of the service, in ms since the epoch
     */
    show(recent, now) {
      const all = sumUp(recent.filter(({ from }) => Date.parse(from) > now - 5 * minuteMs));
      const latest = sumUp(recent.filter(({ from }) => Date.parse(from) > now - minuteMs));
      setText(part('.success'), shareOf(latest));
      setText(part('.success-of-five'), shareOf(all));
      setText(part('.latency'), all.attempts > 0 ? `${Math.round(all.totalMs / all.attempts)} ms` : '–');
      setText(part('.count'), formatNumber(all.attempts));
      const values = { provider, count: all.attempts, failed: all.failed };
      part('.plot.calls').setAttribute('aria-label', textOf('plot', values));
      part('.plot.latencies').setAttribute('aria-label', textOf('plotOfLatencies', { provider }));
      part('.plots').hidden = all.attempts === 0;
      part('.no-calls').hidden = all.attempts > 0;
      plots.show(recent, now);
    },
  };
}

/** @param {{ accepted: number, judged: number }} calls */
const shareOf = ({ accepted, judged }) => (judged > 0 ? formatPercent(accepted / judged) : '–');

/** @param {Buckets} buckets */
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
