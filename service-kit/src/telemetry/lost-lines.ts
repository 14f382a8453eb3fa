import type { LoggerOptions } from 'pino';
import { Counter, type Registry } from 'prom-client';
import { lineOf } from './log-line.ts';
import type { LogOutput } from './log-output.ts';

/** Returns the line that reports lost lines. */
export const noticeOf =
  (options: LoggerOptions) =>
  (lost: number): string =>
    lineOf(options, 'warn', { lost_lines: lost }, 'log lines were lost');

/** Once a process, as collectProcessMetrics. */
export function countLostLines(registry: Registry, { lost }: Pick<LogOutput, 'lost'>): void {
  new Counter({
    name: 'paysms_log_lines_lost_total',
    help: 'Log lines that could not be written: the reader stalled or was gone, or the disk was full',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(lost());
    },
  });
}
