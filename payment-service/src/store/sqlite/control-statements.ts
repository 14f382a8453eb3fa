import type { DatabaseSync } from 'node:sqlite';
import type { Provider } from 'service-kit/contract/notification.ts';
import type { ProviderHold } from '../../domain/provider-controls.ts';
import { controlColumns } from '../columns.ts';
import { type ControlRow, controlsOf } from '../controls.ts';

const columns = Object.keys(controlColumns).join(', ');

export function prepareControlReads(db: DatabaseSync) {
  const select = db.prepare(`SELECT ${columns} FROM provider_controls`);
  return { readControls: () => (select.all() as unknown as ControlRow[]).map(controlsOf) };
}

export function prepareControlWrites(db: DatabaseSync) {
  const put = db.prepare(`
    INSERT INTO provider_controls (provider, held_since, held_until, held_by, hold_reason)
    VALUES (:provider, :since, :until, :by, :reason)
    ON CONFLICT (provider) DO UPDATE SET
      held_since = iif(held_until IS NULL OR held_until > excluded.held_since,
        coalesce(held_since, excluded.held_since), excluded.held_since),
      held_until = excluded.held_until, held_by = excluded.held_by, hold_reason = excluded.hold_reason
    RETURNING held_since`);
  const release = db.prepare(`
    UPDATE provider_controls SET held_since = NULL, held_until = NULL, held_by = NULL, hold_reason = NULL
    WHERE provider = :provider AND held_since IS NOT NULL AND (held_until IS NULL OR held_until > :at)`);
  const request = db.prepare(`
    INSERT INTO provider_controls (provider, recoveries) VALUES (:provider, 1)
    ON CONFLICT (provider) DO UPDATE SET recoveries = recoveries + 1
    RETURNING recoveries`);

  return {
    putHold: (provider: Provider, hold: ProviderHold): boolean =>
      (put.get({ provider, ...hold }) as { held_since: string }).held_since === hold.since,
    deleteHold: (provider: Provider, at: string): boolean => release.run({ provider, at }).changes > 0,
    requestRecovery: (provider: Provider): number =>
      (request.get({ provider }) as { recoveries: number }).recoveries,
  };
}
