import { pageOf, type SuppressionStore } from '../suppressions.ts';
import type { openReader } from './reads.ts';
import type { WriterThread } from './writer-client.ts';

export function suppressionStore(
  { write }: Pick<WriterThread, 'write'>,
  reader: ReturnType<typeof openReader>,
  read: <T>(operation: () => T) => Promise<T>,
): SuppressionStore {
  return {
    async putSuppression(given) {
      const suppression = await write('putSuppression', given);
      return { suppression, isNew: suppression.suppression_id === given.suppression_id };
    },
    findSuppression: (by) =>
      read(() =>
        'phone' in by ? reader.suppressionOf(by.phone) : reader.findSuppression(by.suppression_id),
      ),
    async listSuppressions(query) {
      const { limit, starting_after: after } = query;
      if (after !== undefined && !(await read(() => reader.findSuppression(after)))) return undefined;
      return pageOf(await read(() => reader.listSuppressions({ ...query, limit: limit + 1 })), limit);
    },
    deleteSuppression: (id) => write('deleteSuppression', id),
    liftOptOut: (phone) => write('liftOptOut', phone),
  };
}
