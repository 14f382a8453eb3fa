import pg from 'pg';

/** How PostgreSQL writes a time with the DateStyle `ISO`. */
const isoTime = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d(:\d\d)?$/;

/**
 * The types of JSON: no amount of money exceeds 2^53-1, and a time is ISO 8601. Another text, such as `infinity`, is returned as it
 * is for its reader to refuse: `new Date` would guess what it means, and exchange day and month.
 */
export const getTypeParser = ((oid: number, format?: 'text' | 'binary') => {
  if (oid === pg.types.builtins.INT8) return Number;
  if (oid === pg.types.builtins.TIMESTAMPTZ)
    return (text: string) => (isoTime.test(text) ? new Date(text).toISOString() : text);
  return pg.types.getTypeParser(oid, format as 'text');
}) as typeof pg.types.getTypeParser;
