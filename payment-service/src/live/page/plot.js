import uPlot from '/live/uplot/uPlot.esm.js';
import { currentLanguage, textOf } from './language.js';

/** @typedef {import('../snapshot.ts').Snapshot['recent']['Aldeamo'][number]} Bucket */

const bucketS = 5;
const buckets = 60;
const heights = { calls: 100, latency: 75 };

/**
 * Plots the last five minutes of a provider: accepted and failed calls as bars, and below them their mean duration as a line.
 *
 * @param {HTMLElement} calls
 * @param {HTMLElement} latency
 */
export function createPlots(calls, latency) {
  const ofCalls = createPlot(calls, heights.calls, callSeries, 'callsAxis', 5);
  const ofLatency = createPlot(latency, heights.latency, latencySeries, 'latencyAxis', 100);
  let shown = '';

  return {
    /**
     * @param {Bucket[]} recent
     * @param {number} now by the clock of the service, in ms since the epoch
     */
    show(recent, now) {
      const end = Math.floor(now / 1000 / bucketS) * bucketS;
      const key = JSON.stringify([recent, end, currentLanguage()]);
      if (key === shown) return;
      shown = key;
      const known = new Map(recent.map((bucket) => [Date.parse(bucket.from) / 1000, bucket]));
      const times = Array.from({ length: buckets }, (_, index) => end - (buckets - 1 - index) * bucketS);
      const found = times.map((time) => known.get(time));
      ofCalls.setData([
        times,
        found.map((bucket) => (bucket ? bucket.accepted + bucket.failed : null)),
        found.map((bucket) => bucket?.accepted ?? null),
      ]);
      ofLatency.setData([times, found.map((bucket) => bucket?.mean_ms ?? null)]);
    },
  };
}

/** @typedef {(color: (name: string) => string) => uPlot.Series[]} SeriesOf */

/** @type {SeriesOf} All calls, and in front of them the accepted ones, so that the visible rest has failed. */
const callSeries = (color) =>
  ['--failed', '--accepted'].map((fill) => {
    const paths = uPlot.paths.bars?.({ size: [0.9, 12] });
    return { scale: 'y', fill: () => color(fill), ...(paths && { paths }), points: { show: false } };
  });

/** @type {SeriesOf} The points, because a call alone in its time has no line. */
const latencySeries = (color) => [
  {
    scale: 'y',
    stroke: () => color('--line'),
    width: 1.5,
    points: { show: true, size: 5, fill: () => color('--line') },
  },
];

/**
 * @param {HTMLElement} root
 * @param {number} height
 * @param {SeriesOf} seriesOf
 * @param {import('./language.js').TextKey} axisLabel
 * @param {number} leastTop the end of the scale is not below it
 */
function createPlot(root, height, seriesOf, axisLabel, leastTop) {
  // Read at each drawing, because the colour scheme can change.
  const color = (/** @type {string} */ name) => getComputedStyle(root).getPropertyValue(name);
  const axis = {
    stroke: () => color('--faint'),
    grid: { show: false },
    ticks: { show: false },
    font: '11px system-ui',
    labelFont: '11px system-ui',
  };
  const plot = new uPlot(
    {
      width: 300,
      height,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 8, 0, 0],
      scales: { x: { time: true }, y: { range: (_, _min, max) => [0, Math.max(leastTop, max * 1.1)] } },
      axes: [
        {
          ...axis,
          size: 22,
          values: ({ scales }, at) => at.map((s) => minutesBefore(scales.x?.max ?? s, s)),
        },
        { ...axis, scale: 'y', space: 20, size: 40, labelSize: 16, label: () => textOf(axisLabel) },
      ],
      series: [{}, ...seriesOf(color)],
    },
    [[]],
    root,
  );
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0);
    if (width > 0) plot.setSize({ width, height }); // 0 while it is folded
  }).observe(root);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw());
  return plot;
}

/**
 * @param {number} end in s
 * @param {number} time
 */
function minutesBefore(end, time) {
  const minutes = Math.round((end - time) / 60);
  return minutes === 0 ? '0' : `−${minutes} min`;
}
