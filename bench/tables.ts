import type { Blackhole } from './blackhole.ts';
import type { Csv } from './csv.ts';
import type { FoundPages } from './find.ts';
import type { Footprint } from './footprint.ts';
import type { Memory } from './memory.ts';
import type { SlowDisk } from './slow-disk.ts';
import type { Soak } from './soak.ts';
import type { Spread } from './spread.ts';
import type { StoreSize } from './store-size.ts';
import type { Measured } from './throughput.ts';
import type { Webhooks } from './webhooks.ts';

/** The results as Markdown tables. */

export const throughputTable = (measured: readonly Measured[]): string =>
  table(
    [
      'system',
      'connections',
      'payments/s',
      'of the pass-through',
      'p50 ms',
      'p99 ms',
      'its CPU ms',
      'CPU ms of the providers',
      'MB',
    ],
    measured.map(({ system, connections, perSecond, p50, p99, cpuMs, residentMb, beside }) => {
      const { 'aldeamo-service': aldeamo = 0, 'twilio-service': twilio = 0, ...own } = cpuMs;
      return [
        system,
        connections,
        spread(perSecond),
        spread(beside.share, percent),
        ...[p50, p99].map(({ median }) => median.toFixed(1)),
        ...[Object.values(own)[0] ?? 0, aldeamo + twilio].map((cpu) => cpu.toFixed(2)),
        whole(residentMb),
      ];
    }),
  );

/** Compares payment-service with the pass-through, its ceiling. */
export function comparison(measured: readonly Measured[]) {
  const at = (system: string, connections: number) => {
    const found = measured.find((row) => row.system === system && row.connections === connections);
    if (!found) throw new Error(`${system} was not measured at ${connections} connections`);
    return found;
  };
  const own = at('payment-service', 64);
  return {
    percent: percent(own.beside.share.median),
    p99Times: own.beside.p99Times.median.toFixed(1),
    p50OverMs: at('payment-service', 1).beside.p50OverMs.median.toFixed(2),
    downP50Ms: at('payment-service, Aldeamo down', 64).p50.median.toFixed(1),
    upP50Ms: own.p50.median.toFixed(1),
  };
}

export const blackholeTable = ({ connections, deadlineMs, maxMs, waited, payments }: Blackhole) =>
  table(
    ['connections', 'payments', 'of these waited for Aldeamo', 'deadline ms', 'longest ms'],
    [[connections, payments, waited, deadlineMs, whole(maxMs)]],
  );

export const slowDiskTable = (measured: readonly SlowDisk[]) =>
  table(
    ['disk', 'payments/s', 'p50 ms', 'p99 ms', 'reads/s', 'p50 ms', 'p99 ms', 'health/s', 'p50 ms', 'p99 ms'],
    measured.map(({ delayMs, payments, reads, health }) => [
      delayMs === 0 ? 'as it is' : `${delayMs} ms slower`,
      ...[payments, reads, health].flatMap(({ perSecond, p50, p99 }) => [
        whole(perSecond),
        p50.toFixed(1),
        p99.toFixed(1),
      ]),
    ]),
  );

export const footprintTable = (measured: readonly Footprint[]) =>
  table(
    ['service', 'start to ready, ms', 'MB at rest', 'image, MB over its base'],
    measured.map(({ service, readyMs, residentMb, imageMb }) => [
      service,
      spread(readyMs),
      spread(residentMb),
      imageMb === null ? 'not measured' : whole(imageMb),
    ]),
  );

export const memoryTable = (measured: readonly Memory[]) =>
  table(
    ['payments', ...Object.keys(measured[0]?.residentMb ?? {}).map((service) => `${service}, MB`)],
    measured.map(({ payments, residentMb }) => [payments, ...Object.values(residentMb).map(whole)]),
  );

export const soakTable = ({ minutes }: Soak) =>
  table(
    ['minute', 'payments', 'p50 ms', 'p99 ms', 'longest ms', 'MB', 'file descriptors', 'handles'],
    minutes.map(({ payments, p50, p99, max, residentMb, descriptors, resources }, minute) => [
      minute + 1,
      payments,
      p50.toFixed(1),
      p99.toFixed(1),
      whole(max),
      whole(residentMb),
      descriptors,
      resources,
    ]),
  );

export const webhooksTable = ({ perSecond, deadBesideLive, half, drain }: Webhooks) =>
  table(
    ['events', 'figure'],
    [
      ['payments/s without events', spread(perSecond.off)],
      ['payments/s, each event delivered', spread(perSecond.live)],
      ['payments/s, the endpoint dead', spread(perSecond.dead)],
      ['the endpoint dead beside live', spread(deadBesideLive, percent)],
      [
        `after 15 s at ${whole(half.perSecond)} payments/s, the last event was delivered after`,
        `${whole(half.deliveredAfterMs)} ms`,
      ],
      [`a backlog of ${drain.events} drained in`, `${whole(drain.seconds)} s`],
      [
        'MB under load before, and at most while it drained',
        `${whole(drain.beforeMb)}, ${whole(drain.mostMb)}`,
      ],
    ],
  );

/** One row per operation, so that its growth with the store can be read along the row. */
export const storeSizeTable = (measured: readonly StoreSize[]) =>
  table(
    ['p50 / p99 ms', ...measured.map(({ payments }) => grouped(payments))],
    Object.keys(measured[0]?.latencies ?? {}).map((operation) => [
      operation,
      ...measured.map(({ latencies }) => {
        const { p50 = 0, p99 = 0 } = latencies[operation] ?? {};
        return `${p50.toFixed(2)} / ${p99.toFixed(2)}`;
      }),
    ]),
  );

/** One row per list, so that its growth with the store can be read along the row. */
export const findTable = (measured: readonly FoundPages[]) =>
  table(
    ['p50 / p99 ms', ...measured.map(({ store, payments }) => `${store}, ${grouped(payments)}`)],
    Object.keys(measured[0]?.latencies ?? {}).map((list) => [
      list,
      ...measured.map(({ latencies }) => {
        const { p50 = 0, p99 = 0 } = latencies[list] ?? {};
        return `${p50.toFixed(2)} / ${p99.toFixed(2)}`;
      }),
    ]),
  );

export const csvTable = ({ payments, seconds, bytes, residentMb, longestPageMs }: Csv) =>
  table(
    [
      'payments',
      's',
      'MB of CSV',
      'payment-service, MB, before and after each tenth',
      'longest page meanwhile, ms',
    ],
    [
      [
        grouped(payments),
        whole(seconds),
        whole(bytes / 1e6),
        Object.values(residentMb).map(whole).join(', '),
        whole(longestPageMs),
      ],
    ],
  );

const grouped = (value: number) => value.toLocaleString('en').replaceAll(',', ' ');
const whole = (value: number) => value.toFixed(0);
const percent = (share: number) => `${whole(100 * share)}%`;
const spread = ({ median, min, max }: Spread, format = whole) =>
  min === max ? format(median) : `${format(median)} (${format(min)}–${format(max)})`;

function table(columns: readonly string[], rows: readonly (string | number)[][]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |\n`;
  const alignment = columns.map((_column, index) => (index === 0 ? '---' : '--:'));
  return [columns, alignment, ...rows].map(line).join('');
}
