import type { Measured } from './throughput.ts';

const [width, height, left, bottom, top] = [760, 320, 56, 34, 58];
const colors = ['#8a8f98', '#2563eb', '#0ea5e9', '#d97706', '#16a34a'];

/** Payments per second by system and connections. The line over a bar spans the lowest and the highest round. */
export function throughputChart(measured: readonly Measured[]): string {
  const systems = [...new Set(measured.map(({ system }) => system))];
  const connections = [...new Set(measured.map((row) => row.connections))];
  const most = Math.max(...measured.map(({ perSecond }) => perSecond.max));
  const step = niceStep(most / 5);
  const scale = (height - top - bottom) / most;
  const y = (value: number) => round(height - bottom - value * scale);
  const group = (width - left) / connections.length;
  const bar = (group * 0.8) / systems.length;

  const grid = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => {
    const at = y(index * step);
    return `<path class="grid" d="M${left} ${at}H${width}"/><text x="${left - 8}" y="${at + 4}" text-anchor="end">${index * step}</text>`;
  });
  const legend = systems.map((system, index) => {
    const [x, row] = [left + (index % 3) * 230, 12 + Math.floor(index / 3) * 18];
    return `<rect x="${x}" y="${row - 9}" width="10" height="10" fill="${colors[index]}"/><text x="${x + 15}" y="${row}">${system}</text>`;
  });
  const labels = connections.map(
    (count, index) =>
      `<text x="${round(left + group * (index + 0.5))}" y="${height - 10}" text-anchor="middle">${count} ${count === 1 ? 'connection' : 'connections'}</text>`,
  );
  const bars = measured.map(({ system, connections: count, perSecond: { median, min, max } }) => {
    const x = left + group * (connections.indexOf(count) + 0.1) + bar * systems.indexOf(system);
    const middle = round(x + bar / 2);
    return `<rect x="${round(x)}" y="${y(median)}" width="${round(bar - 3)}" height="${round(median * scale)}" fill="${colors[systems.indexOf(system)]}"/><path class="range" d="M${middle} ${y(min)}V${y(max)}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Payments per second by system and number of connections">
<style>text{font:12px system-ui,sans-serif;fill:#444}.grid{stroke:#8884}.range{stroke:#444;stroke-width:1.5}@media(prefers-color-scheme:dark){text{fill:#ccc}.range{stroke:#ddd}}</style>
${[...grid, ...legend, ...labels, ...bars].join('\n')}
</svg>
`;
}

/** The lowest of 1, 2, 5 or 10 times a power of ten that is not below the value. */
function niceStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 5].find((factor) => factor * power >= value) ?? 10) as number) * power;
}

const round = (value: number) => Math.round(value * 10) / 10;
