import type { Provider } from 'service-kit/contract/notification.ts';
import type { ProviderHold } from '../../domain/provider-controls.ts';
import { controlColumns } from '../columns.ts';
import { type ControlRow, type ControlStore, controlsOf } from '../controls.ts';
import type { Query } from './query.ts';

const columns = Object.keys(controlColumns).join(', ');

/** The statements about what operators have ordered for the providers. */
export function controlStatements(query: Query): ControlStore {
  return {
    async readControls() {
      const rows = await query<ControlRow>('controls', `SELECT ${columns} FROM provider_controls`, []);
      return rows.map(controlsOf);
    },

    async putHold(provider: Provider, { since, until, by, reason }: ProviderHold) {
      const [row] = await query<{ held_since: string }>(
        'put_hold',
        `INSERT INTO provider_controls AS stored (provider, held_since, held_until, held_by, hold_reason)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (provider) DO UPDATE SET
           held_since = CASE WHEN stored.held_until IS NULL OR stored.held_until > excluded.held_since
             THEN coalesce(stored.held_since, excluded.held_since) ELSE excluded.held_since END,
           held_until = excluded.held_until, held_by = excluded.held_by, hold_reason = excluded.hold_reason
         RETURNING held_since`,
        [provider, since, until, by, reason],
      );
      return row?.held_since === since;
    },

    async deleteHold(provider, at) {
      const released = await query(
        'delete_hold',
        `UPDATE provider_controls SET held_since = NULL, held_until = NULL, held_by = NULL, hold_reason = NULL
         WHERE provider = $1 AND held_since IS NOT NULL AND (held_until IS NULL OR held_until > $2)
         RETURNING 1`,
        [provider, at],
      );
      return released.length > 0;
    },

    async requestRecovery(provider) {
      const [row] = await query<{ recoveries: number }>(
        'request_recovery',
        `INSERT INTO provider_controls AS stored (provider, recoveries) VALUES ($1, 1)
         ON CONFLICT (provider) DO UPDATE SET recoveries = stored.recoveries + 1
         RETURNING recoveries`,
        [provider],
      );
      return row?.recoveries ?? 0;
    },
  };
}
