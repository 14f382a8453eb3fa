import { type Level, type LoggerOptions, pino } from 'pino';

/** Returns a line that is written past the logger. It has the logger's own form, and no level silences it. */
export function lineOf(options: LoggerOptions, level: Level, fields: object, msg: string): string {
  let line = '';
  const capture = {
    write(text: string) {
      line = text;
    },
  };
  pino({ ...options, level }, capture)[level](fields, msg);
  return line;
}
