import uPlot from '/live/uplot/uPlot.esm.js';

/** @typedef {import('../snapshot.ts').Snapshot['recent']['Aldeamo'][number]} Bucket */

const bucketS = 5;
const buckets = 60;
const height = 120;

/**
 * The last five minutes of a provider: bars of what was taken and what failed, and a line of how long it took.
 *
 * @param {HTMLElement} root
 */
export function createPlot(root) {
  const color = (/** @type {string} */ name) => getComputedStyle(root).getPropertyValue(name);
  const bars = uPlot.paths.bars?.({ size: [0.9, 12] });
  const axis = {
    stroke: () => color('--faint'),
    grid: { show: false },
    ticks: { show: false },
    font: '11px system-ui',
  };
  const plot = new uPlot(
    {
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
        // Both together, and in front of them what was taken: the rest is what failed.
        {
          scale: 'count',
          fill: () => color('--failed'),
          ...(bars && { paths: bars }),
          points: { show: false },
        },
        {
          scale: 'count',
          fill: () => color('--accepted'),
          ...(bars && { paths: bars }),
          points: { show: false },
        },
        { scale: 'ms', stroke: () => color('--line'), width: 1.5, points: { show: false } },
      ],
    },
    [[], [], [], []],
    root,
  );
  let now = 0;
  const minutesAgo = (/** @type {number} */ s) => {
    const minutes = Math.round((now - s) / 60);
    return minutes === 0 ? '0' : `-${minutes} min`;
  };
  new ResizeObserver(([entry]) => {
    if (entry) plot.setSize({ width: Math.floor(entry.contentRect.width), height });
  }).observe(root);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw());

  return {
    /**
     * @param {Bucket[]} recent
     * @param {string} at when that was so
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
