import type { Provider } from 'service-kit/contract/notification.ts';
import type { ProviderControls, ProviderHold } from '../domain/provider-controls.ts';

/** The part of the store that keeps what operators have ordered for the providers. */
export interface ControlStore {
  /** Those of the providers for which something was ordered. */
  readControls(): Promise<ProviderControls[]>;
  /**
   * Stores a hold in place of the provider's present one, whose `since` stays if it is in force at the new `since`. Returns whether
   * none was.
   */
  putHold(provider: Provider, hold: ProviderHold): Promise<boolean>;
  /** Returns whether there was one in force at this time. */
  deleteHold(provider: Provider, at: string): Promise<boolean>;
  /** Returns how often it was requested, this one included. */
  requestRecovery(provider: Provider): Promise<number>;
}

export interface ControlRow {
  provider: Provider;
  held_since: string | null;
  held_until: string | null;
  held_by: string | null;
  hold_reason: string | null;
  recoveries: number;
}

export const controlsOf = (row: ControlRow): ProviderControls => ({
  provider: row.provider,
  hold:
    row.held_since === null
      ? null
      : {
          since: row.held_since,
          until: row.held_until,
          by: row.held_by,
          reason: row.hold_reason ?? '',
        },
  recoveries: row.recoveries,
});
