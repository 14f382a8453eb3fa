import type { DatabaseSync } from 'node:sqlite';
import type { DayTake, RecipientTake } from '../store.ts';

/** The statements about the bounds of what is sent. */
export function prepareAllowanceWrites(db: DatabaseSync) {
  // While the rest is less than ten blocks, blocks shrink with it, so that no process holds the last of the day. The cast is
  // needed, because a number of JavaScript is bound as REAL.
  const blockOf = (rest: string) => `max(:needed, min(:block, CAST(${rest} / 10 AS INTEGER)))`;
  const takeOfDay = db.prepare(`
    INSERT INTO sms_days (day, segments, latest_block)
    SELECT :day, block, block FROM (SELECT ${blockOf(':cap')} AS block) WHERE :needed <= :cap
    ON CONFLICT (day) DO UPDATE SET
      segments = segments + ${blockOf('(:cap - segments)')}, latest_block = ${blockOf('(:cap - segments)')}
      WHERE segments + :needed <= :cap
    RETURNING latest_block`);
  const takeOfRecipient = db.prepare(`
    INSERT INTO sms_recipient_hours (hour, phone, segments)
    SELECT :hour, :phone, :segments WHERE :segments <= :cap
    ON CONFLICT (hour, phone) DO UPDATE SET segments = segments + :segments WHERE segments + :segments <= :cap
    RETURNING segments`);
  const deleteDays = db.prepare('DELETE FROM sms_days WHERE day < :before');
  const deleteHours = db.prepare(`
    DELETE FROM sms_recipient_hours WHERE (hour, phone) IN (
      SELECT hour, phone FROM sms_recipient_hours WHERE hour < :before ORDER BY hour LIMIT :limit
    )`);

  return {
    takeOfDay({ day, cap, block, needed }: DayTake): number {
      const taken = takeOfDay.get({ day, cap, block, needed }) as { latest_block: number } | undefined;
      return taken?.latest_block ?? 0;
    },

    takeOfRecipient: ({ hour, phone, cap, segments }: RecipientTake): boolean =>
      takeOfRecipient.get({ hour, phone, cap, segments }) !== undefined,

    deleteDays: (before: string): number => Number(deleteDays.run({ before }).changes),
    deleteRecipientHours: (before: string, limit: number): number =>
      Number(deleteHours.run({ before, limit }).changes),
  };
}
