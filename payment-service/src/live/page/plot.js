import uPlot from '/live/uplot/uPlot.esm.js';

/** @typedef {import('../snapshot.ts').Snapshot['recent']['Aldeamo'][number]} Bucket */

const bucketS = 5;
const buckets = 60;
const height = 120;

/**
 * Plots the last five minutes of a provider: accepted and failed calls as bars, their mean duration as a line.
 *
 * @param {HTMLElement} root
 */
export function createPlot(root) {
  let now = 0;
  const minutesAgo = (/** @type {number} */ s) => {
    const minutes = Math.round((now - s) / 60);
    return minutes === 0 ? '0' : `-${minutes} min`;
  };
  const color = (/** @type {string} */ name) => getComputedStyle(root).getPropertyValue(name);
  const plot = new uPlot(optionsOf(color, minutesAgo), [[], [], [], []], root);
  new ResizeObserver(([entry]) => {
    if (entry) plot.setSize({ width: Math.floor(entry.contentRect.width), height });
  }).observe(root);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw());

  return {
    /**
     * @param {Bucket[]} recent
     * @param {string} at the time of the snapshot
     */
    show(recent, at) {
      now = Math.floor(Date.parse(at) / 1000 / bucketS) * bucketS;
      const known = new Map(recent.map((bucket) => [Date.parse(bucket.from) / 1000, bucket]));
      const times = Array.from({ length: buckets }, (_, index) => now - (buckets - 1 - index) * bucketS);
      const found = times.map((time) => known.get(time));
      plot.setData([
        times,
        found.map((bucket) => (bucket ? bucket.accepted + bucket.failed : null)),
        found.map((bucket) => bucket?.accepted ?? null),
        found.map((bucket) => bucket?.mean_ms ?? null),
      ]);
    },
  };
}

/**
 * @param {(name: string) => string} color read at each drawing, because the colour scheme can change
 * @param {(s: number) => string} minutesAgo the label of a time on the axis
 * @returns {uPlot.Options}
 */
function optionsOf(color, minutesAgo) {
  const bars = uPlot.paths.bars?.({ size: [0.9, 12] });
  const axis = {
    stroke: () => color('--faint'),
    grid: { show: false },
    ticks: { show: false },
    font: '11px system-ui',
  };
  const barSeries = (/** @type {string} */ fill) => ({
    scale: 'count',
    fill: () => color(fill),
    ...(bars && { paths: bars }),
    points: { show: false },
  });
  return {
    width: 300,
    height,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 0, 0, 0],
    scales: {
      x: { time: true },
      count: { range: (_, _min, max) => [0, Math.max(5, max)] },
      ms: { range: (_, _min, max) => [0, Math.max(100, max)] },
    },
    axes: [
      { ...axis, size: 22, values: (_, at) => at.map((s) => minutesAgo(s)) },
      { ...axis, scale: 'count', size: 32 },
      { ...axis, scale: 'ms', side: 1, size: 42 },
    ],
    series: [
      {},
      // All calls, and in front of them the accepted ones, so that the visible rest has failed.
      barSeries('--failed'),
      barSeries('--accepted'),
      { scale: 'ms', stroke: () => color('--line'), width: 1.5, points: { show: false } },
    ],
  };
}
