import type { DayTake, RecipientTake } from '../store.ts';
import type { Query } from './query.ts';

const blockOf = (rest: string) => `greatest($4::integer, least($3::integer, ${rest}::integer / 10))`;

/** The statements about the bounds of what is sent. */
export const allowanceStatements = (query: Query) => ({
  /** While the rest is less than ten blocks, blocks shrink with it, so that no replica holds the last of the day. */
  async takeOfDay({ day, cap, block, needed }: DayTake): Promise<number> {
    const [taken] = await query<{ latest_block: number }>(
      'take_of_day',
      `INSERT INTO sms_days (day, segments, latest_block)
       SELECT $1, block, block FROM (SELECT ${blockOf('$2')} AS block) AS first WHERE $4 <= $2
       ON CONFLICT (day) DO UPDATE SET
         segments = sms_days.segments + ${blockOf('($2 - sms_days.segments)')},
         latest_block = ${blockOf('($2 - sms_days.segments)')}
         WHERE sms_days.segments + $4 <= $2
       RETURNING latest_block`,
      [day, cap, block, needed],
    );
    return taken?.latest_block ?? 0;
  },

  async takeOfRecipient({ hour, phone, cap, segments }: RecipientTake): Promise<boolean> {
    const taken = await query(
      'take_of_recipient',
      `INSERT INTO sms_recipient_hours (hour, phone, segments)
       SELECT $1, $2, $4::integer WHERE $4 <= $3::integer
       ON CONFLICT (hour, phone) DO UPDATE SET segments = sms_recipient_hours.segments + $4
         WHERE sms_recipient_hours.segments + $4 <= $3
       RETURNING 1`,
      [hour, phone, cap, segments],
    );
    return taken.length > 0;
  },

  deleteDays: async (before: string): Promise<number> =>
    (await query('delete_days', 'DELETE FROM sms_days WHERE day < $1 RETURNING 1', [before])).length,

  async deleteRecipientHours(before: string, limit: number): Promise<number> {
    const deleted = await query(
      'delete_recipient_hours',
      `DELETE FROM sms_recipient_hours
       WHERE (hour, phone) IN (
         SELECT hour, phone FROM sms_recipient_hours WHERE hour < $1 ORDER BY hour LIMIT $2 FOR UPDATE SKIP LOCKED
       )
       RETURNING 1`,
      [before, limit],
    );
    return deleted.length;
  },
});
