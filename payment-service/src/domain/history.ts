import { providerSchema } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import { newHistoryId } from './payment-id.ts';
import { writeTime } from './time.ts';

/** What happens to the providers, the store and the service, as far as operators look back at it. */
export const historyKinds = [
  'started',
  'circuit_opened',
  'circuit_closed',
  'provider_held',
  'provider_released',
  'account_refused',
  'account_accepted',
  'store_down',
  'store_up',
] as const;
export type HistoryKind = (typeof historyKinds)[number];

export const historyEntrySchema = z
  .object({
    entry_id: z.string(),
    at: z.iso.datetime(),
    kind: z.string().meta({
      description: `One of ${historyKinds.map((kind) => `\`${kind}\``).join(', ')}; a later release may add some`,
    }),
    provider: providerSchema.nullable(),
    replica: z.string().meta({ description: 'The replica that noticed it, as REPLICA_NAME or its host' }),
    by: z.string().nullable().meta({ description: 'The name of the key with which a person did it' }),
    reason: z.string().nullable().meta({
      description: 'The cause, or what the person wrote; of `started` the release',
    }),
  })
  .meta({ id: 'HistoryEntry', description: 'What happened to a provider, to the store or to the service' });
export type HistoryEntry = z.infer<typeof historyEntrySchema>;

/** What an entry says beside its kind. */
export type HistoryDetails = Partial<Pick<HistoryEntry, 'provider' | 'by' | 'reason'>>;

export function newHistoryEntry(
  kind: HistoryKind,
  { provider = null, by = null, reason = null }: HistoryDetails,
  replica: string,
): HistoryEntry {
  const entry_id = newHistoryId();
  return { entry_id, at: writeTime(timeOf(entry_id)), kind, provider, replica, by, reason };
}

const prefix = 'hst_';
const timeDigits = 12;

/** A UUID of version 7 begins with its time in ms. */
const timeOf = (entryId: string) =>
  Number.parseInt(entryId.slice(prefix.length, prefix.length + timeDigits), 16);

/** The ids of this time (ms since the epoch) and later ones are greater, those of an earlier time less. */
export const historyIdsFrom = (ms: number) =>
  `${prefix}${Math.max(0, ms).toString(16).padStart(timeDigits, '0')}`;

export const historyIdSchema = z.string().regex(/^hst_[0-9a-f]{32}$/, 'must be the id of an entry');
