import { readFile, writeFile } from 'node:fs/promises';
import { throughputChart } from './chart.ts';
import type { Part, Results } from './results.ts';
import {
  blackholeTable,
  comparison,
  footprintTable,
  memoryTable,
  slowDiskTable,
  soakTable,
  storeSizeTable,
  throughputTable,
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
  const blocks = path === 'README.es.md' ? blocksOf(results, spanish) : blocksOf(results, english);
  return text.replace(
    /(<!-- bench: ([\w-]+) -->\n).*?(<!-- \/bench -->)/gs,
    (_all, start: string, name: string, end: string) => {
      const block = blocks[name as keyof Results];
      return `${start}\n${block ? block() : 'Not measured yet.'}\n${end}`;
    },
  );
}

interface Words {
  translate: (text: string) => string;
  summary: (figures: ReturnType<typeof comparison>) => string;
  origin: (part: Part<unknown>) => string;
}

function blocksOf(results: Partial<Results>, words: Words): Partial<Record<keyof Results, () => string>> {
  const block = <Name extends keyof Results>(name: Name, render: (data: Results[Name]['data']) => string) => {
    const part = results[name];
    return part && { [name]: () => `${render(part.data)}\n${words.origin(part)}\n` };
  };
  return {
    ...block(
      'throughput',
      (data) => `${throughputTable(data, words.translate)}\n${words.summary(comparison(data))}`,
    ),
    ...block('latency', (data) => throughputTable(data, words.translate)),
    ...block('blackhole', blackholeTable),
    ...block('slow-disk', slowDiskTable),
    ...block('footprint', footprintTable),
    ...block('memory', memoryTable),
    ...block('soak', soakTable),
    ...block('store-size', storeSizeTable),
    ...block('store-size-postgres', storeSizeTable),
  };
}

const english: Words = {
  translate: (text) => text,
  summary: ({ percent, p99Times, p50OverMs, downP50Ms, upP50Ms }) =>
    `- At 64 connections payment-service takes ${percent} of the payments that the pass-through takes, with ${p99Times} times its p99.
- At 1 connection a payment takes ${p50OverMs} ms longer.
- With Aldeamo down and its circuit open the p50 at 64 connections is ${downP50Ms} ms, and ${upP50Ms} ms with Aldeamo up.
`,
  origin: ({ machine, commit, measured_at }) =>
    `Measured on ${measured_at.slice(0, 10)} at commit ${commit}: ${machine}.`,
};

const inSpanish: Record<string, string> = {
  system: 'sistema',
  connections: 'conexiones',
  'payments/s': 'pagos/s',
  'of the pass-through': 'del pass-through',
  'its CPU ms': 'su CPU ms',
  'CPU ms of the providers': 'CPU ms de los proveedores',
  'payment-service, async': 'payment-service, asíncrono',
  'payment-service, Aldeamo down': 'payment-service, Aldeamo caído',
};

const spanish: Words = {
  translate: (text) => inSpanish[text] ?? text,
  summary: ({ percent, p99Times, p50OverMs, downP50Ms, upP50Ms }) =>
    `- Con 64 conexiones payment-service acepta el ${percent} de los pagos que acepta el pass-through, con ${p99Times} veces su p99.
- Con 1 conexión un pago tarda ${p50OverMs} ms más.
- Con Aldeamo caído y su circuito abierto el p50 con 64 conexiones es de ${downP50Ms} ms, y de ${upP50Ms} ms con Aldeamo en marcha.
`,
  origin: ({ machine, commit, measured_at }) =>
    `Medido el ${measured_at.slice(0, 10)} en el commit ${commit}: ${machine}.`,
};
