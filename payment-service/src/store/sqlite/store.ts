import { setImmediate as nextTurn } from 'node:timers/promises';
import { askedProvider } from '../../domain/attempts.ts';
import { dueAt } from '../../domain/retry-policy.ts';
import { learnedOptOut } from '../../domain/suppression.ts';
import { type EventRecording, longestWebhookWaitMs } from '../events.ts';
import { historyPageOf } from '../history.ts';
import { ownersWhere, paymentsWhere } from '../owner.ts';
import { type PageReader, readPage } from '../page-read.ts';
import { isOfList } from '../payment-filters.ts';
import {
  type Customer,
  type FaultObserver,
  LeaseLost,
  RecipientSuppressed,
  type Store,
  StoreUnavailable,
  type UnreadableObserver,
} from '../store.ts';
import { readOne, reportTo, sortRows } from '../stored-payments.ts';
import { controlStore } from './control-store.ts';
import { eventRows } from './event-rows.ts';
import { eventStore } from './event-store.ts';
import { openReader } from './reads.ts';
import { paymentOf, paymentValues, updateValues } from './rows.ts';
import { suppressionStore } from './suppression-store.ts';
import { startSqliteWriter } from './writer-client.ts';

/** Emptying the write-ahead log waits for the disk and for its readers, so it is not done after each redaction. */
const emptyLogEveryMs = 60_000;

export interface SqliteStoreOptions {
  path: string;
  leaseMs: number;
  /** Default: off. */
  events?: EventRecording | undefined;
  /** Each client has customers of its own. Default: false. */
  clientsIsolated?: boolean | undefined;
  onUnreadable?: UnreadableObserver;
  onFault?: FaultObserver;
}

/**
 * Opens the database at the path, creates it if there is none, and migrates its schema. Reads run here, writes in a thread of
 * their own, because a commit waits for the disk and would hold up every other request.
 *
 * @throws Error
 */
export async function openSqliteStore({
  path,
  leaseMs,
  events: recording = 'off',
  clientsIsolated = false,
  onUnreadable = () => {},
  onFault = () => {},
}: SqliteStoreOptions): Promise<Store> {
  const rowsOfEvents = eventRows(recording);
  const ownerOf = ownersWhere(clientsIsolated);
  const paymentsOf = paymentsWhere(clientsIsolated);
  const reported = reportTo(onUnreadable);
  const writer = await startSqliteWriter(
    { path, now: Date.now(), events: recording, clientsIsolated },
    onFault,
  );
  const reader = await read(() => openReader(path)).catch(async (error) => {
    await writer.close();
    throw error;
  });
  /** The write-ahead log may still contain redacted texts: it is overwritten only in time, and a crash leaves it behind. */
  let logHasTexts = true;
  let logEmptiedAt = Number.NEGATIVE_INFINITY;

  async function emptyLog(): Promise<void> {
    logEmptiedAt = performance.now();
    logHasTexts = !(await writer.emptyLog());
  }

  return {
    insert(payment, record) {
      const values = paymentValues(payment, dueAt(payment, leaseMs));
      return writer.write('insert', values, record, Date.now(), ...rowsOfEvents(payment, undefined));
    },

    async update(payment, answer, before) {
      const { payment_id } = payment;
      const result = await writer.write(
        'update',
        updateValues(payment, dueAt(payment, leaseMs)),
        answer && { payment_id, ...answer },
        askedProvider(payment) ? payment.phone : null,
        learnedOptOut(payment, before),
        ...rowsOfEvents(payment, before),
      );
      if (result === 'suppressed') throw new RecipientSuppressed(payment);
      if (result === 'lease_lost') throw new LeaseLost(payment_id);
    },

    async amend(payment, before) {
      const { payment_id } = payment;
      if (askedProvider(before)) throw new LeaseLost(payment_id);
      const values = updateValues(payment, dueAt(payment, leaseMs));
      const learned = learnedOptOut(payment, before);
      const events = rowsOfEvents(payment, before);
      const was = { due_at: dueAt(before, leaseMs), updated_at: before.updated_at };
      const isCurrent = await writer.write('amend', values, was, learned, ...events);
      if (!isCurrent) throw new LeaseLost(payment_id);
    },

    storeAnswer: (paymentId, answer) => writer.write('storeAnswer', paymentId, answer),
    findKey: (key) => read(() => reader.findKey(key)),
    find: async (paymentId) => readOne(reported(await read(() => reader.find(paymentId)))),

    async list(query, signal) {
      const cursor = query.starting_after ?? query.ending_before;
      const lasting = cursor === undefined ? undefined : await read(() => reader.lasting(cursor));
      if (cursor !== undefined && !(lasting && isOfList(lasting, query))) return undefined;
      const pages: PageReader = {
        // In a turn of its own, because the reads of a long list would otherwise follow each other in one, and hold up all else.
        rows: async (part) => {
          await nextTurn();
          return read(() => reported(sortRows(reader.page(part), paymentOf)));
        },
        idAfter: (count, part) => read(() => reader.idAfter(count, part)),
      };
      return readPage(query, pages, signal);
    },

    backlog: () => read(reader.backlog),
    putPhone: (customer, phone) => writer.write('putPhone', customerOf(customer), phone),
    findPhone: ({ client, customer_id }) => read(() => reader.findPhone(ownerOf(client), customer_id)),
    releaseHeld: (customer, limit) => writer.write('releaseHeld', customerOf(customer), Date.now(), limit),
    deletePhone: (customer) => writer.write('deletePhone', customerOf(customer)),

    async claimDue(limit) {
      const now = Date.now();
      return reported(await writer.write('claimDue', now, limit, now + leaseMs)).payments;
    },

    async bringForward(longestWaitMs, limit) {
      const now = Date.now();
      const [count] = await Promise.all([
        writer.write('bringForward', now + longestWaitMs, limit, now + leaseMs),
        writer.write('bringWebhooksForward', now, now + longestWebhookWaitMs, limit),
      ]);
      return count;
    },

    async claimAsks(limit) {
      const now = Date.now();
      return reported(await writer.write('claimAsks', now, limit, now + leaseMs)).payments;
    },

    async claim(payment) {
      if (askedProvider(payment)) throw new LeaseLost(payment.payment_id);
      const claims = await writer.write('claim', payment, dueAt(payment, leaseMs), Date.now() + leaseMs);
      const claimed = readOne(reported(claims));
      if (!claimed) throw new LeaseLost(payment.payment_id);
      return claimed;
    },

    async seize(payment) {
      const claimed = readOne(reported(await writer.write('seize', payment, Date.now() + leaseMs)));
      if (!claimed) throw new LeaseLost(payment.payment_id);
      return claimed;
    },

    deleteKeys: (before, limit) => writer.write('deleteKeys', before, limit),

    async redact(before, limit) {
      const redacted = await writer.write('redact', before, limit);
      if (redacted > 0) logHasTexts = true;
      if (logHasTexts && redacted < limit && performance.now() - logEmptiedAt >= emptyLogEveryMs)
        await emptyLog();
      return redacted;
    },

    async eraseNext(customer, after, limit) {
      const step = await writer.write('eraseNext', paymentsOf(customer), after ?? '', limit);
      // At once, because its request is rare, and without PAYMENT_RETENTION_MS nothing else empties it.
      if (step.last === null) await emptyLog();
      return step;
    },
    listIds: (customer, before, limit) => read(() => reader.listIds(paymentsOf(customer), before, limit)),

    takeOfDay: (take) => writer.write('takeOfDay', take),
    takeOfRecipient: (take) => writer.write('takeOfRecipient', take),

    async deleteCounts({ day, hour }, limit) {
      const [, deleted] = await Promise.all([
        writer.write('deleteDays', day),
        writer.write('deleteRecipientHours', hour, limit),
      ]);
      return deleted;
    },

    ...suppressionStore(writer, reader, read),
    ...eventStore(writer, reader, read),
    ...controlStore(writer, reader, read),
    recordHistory: (entries) => writer.write('recordHistory', entries),
    async readHistory(query) {
      const { limit } = query;
      return historyPageOf(await read(() => reader.readHistory({ ...query, limit: limit + 1 })), limit);
    },
    deleteHistory: (before, limit) => writer.write('deleteHistory', before, limit),
    putSums: (rows) => writer.write('putSums', rows),
    readSums: (from, to) => read(() => reader.readSums(from, to)),
    deleteSums: (before, limit) => writer.write('deleteSums', before, limit),
    countHeld: () => read(reader.countHeld),
    check: () => writer.write('touch'),

    async close() {
      reader.close(); // before the writer: the last connection to close removes the write-ahead log
      await writer.close();
    },
  };
}

/** Not more than the writer's thread needs: a customer may be a whole payment. */
const customerOf = ({ client, customer_id }: Customer): Customer => ({ client, customer_id });

async function read<T>(operation: () => T): Promise<T> {
  try {
    return operation();
  } catch (cause) {
    throw new StoreUnavailable('the store does not answer', { cause });
  }
}
