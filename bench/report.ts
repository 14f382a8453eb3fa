import { readFile, writeFile } from 'node:fs/promises';
import { throughputChart } from './chart.ts';
import type { Part, Results } from './results.ts';
import {
  blackholeTable,
  comparison,
  csvTable,
  findTable,
  footprintTable,
  memoryTable,
  slowDiskTable,
  soakTable,
  storeSizeTable,
  throughputTable,
  webhooksTable,
} from './tables.ts';

/**
 * Writes the figures into the documents, each between `<!-- bench: name -->` and `<!-- /bench -->`. A test compares the
 * documents with the results, so that no figure is edited by hand.
 */
export async function writeReports(results: Partial<Results>): Promise<void> {
  for (const path of reports) await writeFile(path, report(path, await readFile(path, 'utf8'), results));
  if (results.throughput) await writeFile(chartPath, throughputChart(results.throughput.data));
}

export const reports = ['README.md', 'README.es.md', 'docs/performance.md'] as const;
export const chartPath = 'docs/performance.svg';

/** Replaces the figures in the text of a document by those of the results. */
export function report(path: (typeof reports)[number], text: string, results: Partial<Results>): string {
  const blocks = blocksOf(results, path === 'README.es.md' ? spanishSummary : englishSummary);
  return text.replace(
    /(<!-- bench: ([\w-]+) -->\n).*?(<!-- \/bench -->)/gs,
    (_all, start: string, name: string, end: string) =>
      `${start}\n${blocks[name as keyof typeof blocks]?.() ?? 'Not measured yet.'}\n${end}`,
  );
}

type Comparison = ReturnType<typeof comparison>;
type Block = () => string;

function blocksOf(
  results: Partial<Results>,
  summary: (figures: Comparison) => string,
): Partial<Record<keyof Results | 'summary', Block>> {
  const block = <Name extends keyof Results>(name: Name, render: (data: Results[Name]['data']) => string) => {
    const part = results[name];
    return part && { [name]: () => `${render(part.data)}\n${originOf(part)}\n` };
  };
  const { throughput } = results;
  return {
    ...(throughput && { summary: () => summary(comparison(throughput.data)) }),
    ...block('throughput', (data) => `${throughputTable(data)}\n${comparisonInWords(comparison(data))}`),
    ...block('latency', throughputTable),
    ...block('blackhole', blackholeTable),
    ...block('slow-disk', slowDiskTable),
    ...block('footprint', footprintTable),
    ...block('memory', memoryTable),
    ...block('soak', soakTable),
    ...block('webhooks', webhooksTable),
    ...block('store-size', storeSizeTable),
    ...block('store-size-postgres', storeSizeTable),
    ...block('find', findTable),
    ...block('csv', csvTable),
  };
}

const comparisonInWords = ({ percent, p99Times, p50OverMs, downP50Ms, upP50Ms }: Comparison) =>
  `- At 64 connections payment-service accepts ${percent} of the payments that the pass-through accepts, with ${p99Times} times its p99.
- At 1 connection a payment takes ${p50OverMs} ms longer.
- With Aldeamo down and its circuit open the p50 at 64 connections is ${downP50Ms} ms, and ${upP50Ms} ms with Aldeamo up.
`;

const originOf = ({ machine, commit, measured_at }: Part<unknown>) =>
  `Measured on ${measured_at.slice(0, 10)} at commit ${commit}: ${machine}.`;

/** For README.md: one sentence, since docs/performance.md has the tables. */
const englishSummary = ({ percent }: Comparison) =>
  `At 64 connections payment-service accepts ${percent} of the payments that a bare pass-through accepts ([measurements](docs/performance.md)).
`;

const spanishSummary = ({ percent }: Comparison) =>
  `Con 64 conexiones, payment-service acepta el ${percent.replace('%', ' %')} de los pagos que acepta un proxy mínimo, que solo reenvía ([mediciones](docs/performance.md)).
`;
