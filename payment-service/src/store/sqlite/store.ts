import { dueAt } from '../../domain/retry-policy.ts';
import { LeaseLost, type Store, StoreUnavailable } from '../store.ts';
import { openReader } from './reads.ts';
import { changeValues, paymentValues } from './values.ts';
import { startSqliteWriter } from './writer-client.ts';

/** Emptying the write-ahead log waits for the disk, and for whoever reads it: not after each sweep. */
const emptyLogEveryMs = 60_000;

export interface SqliteStoreOptions {
  path: string;
  leaseMs: number;
}

/**
 * Opens the database at the path, makes it if it is not there, and brings its schema up to date. What is read is read here;
 * what is written is written by a thread, since a commit waits for the disk.
 *
 * @throws Error
 */
export async function openSqliteStore({ path, leaseMs }: SqliteStoreOptions): Promise<Store> {
  const writer = await startSqliteWriter({ path, now: Date.now() });
  const reader = await read(() => openReader(path)).catch(async (error) => {
    await writer.close();
    throw error;
  });
  /** The write-ahead log may still show what was blanked: it is written over only in time, and a crash leaves it. */
  let logHasTraces = true;
  let logEmptiedAt = Number.NEGATIVE_INFINITY;

  return {
    insert: (payment, record) =>
      writer.write('insert', paymentValues(payment, dueAt(payment, leaseMs)), record, Date.now()),

    async update(payment, answer) {
      const { payment_id } = payment;
      const isOurs = await writer.write(
        'update',
        changeValues(payment, dueAt(payment, leaseMs)),
        answer && { payment_id, ...answer },
      );
      if (!isOurs) throw new LeaseLost(payment_id);
    },

    keepAnswer: (paymentId, answer) => writer.write('keepAnswer', paymentId, answer),
    find: (paymentId) => read(() => reader.find(paymentId)),
    list: (query) => read(() => reader.list(query)),
    backlog: () => read(reader.backlog),
    putPhone: (customerId, phone) => writer.write('putPhone', customerId, phone),
    findPhone: (customerId) => read(() => reader.findPhone(customerId)),
    forgetPhone: (customerId) => writer.write('forgetPhone', customerId),

    async claimDue(limit) {
      const now = Date.now();
      return writer.write('claimDue', now, limit, now + leaseMs);
    },

    async claim(payment) {
      const claimed = await writer.write('claim', payment, dueAt(payment, leaseMs), Date.now() + leaseMs);
      if (!claimed) throw new LeaseLost(payment.payment_id);
      return claimed;
    },

    forgetKeys: (before, limit) => writer.write('forgetKeys', before, limit),

    async blank(before, limit) {
      const blanked = await writer.write('blank', before, limit);
      if (blanked > 0) logHasTraces = true;
      if (logHasTraces && blanked < limit && Date.now() - logEmptiedAt >= emptyLogEveryMs) {
        logEmptiedAt = Date.now();
        logHasTraces = !(await writer.emptyLog());
      }
      return blanked;
    },

    check: () => writer.write('touch'),

    async close() {
      reader.close(); // the last one to close is the writer, who can put the log away
      await writer.close();
    },
  };
}

async function read<T>(operation: () => T): Promise<T> {
  try {
    return operation();
  } catch (cause) {
    throw new StoreUnavailable('the store does not answer', { cause });
  }
}
