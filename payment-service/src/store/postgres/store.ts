import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { FastifyBaseLogger } from 'fastify';
import { batch, batchLookup } from 'service-kit/batcher.ts';
import { DatabaseError } from 'service-kit/postgres/database-error.ts';
import { openDatabase } from 'service-kit/postgres/open-database.ts';
import { askedProvider } from '../../domain/attempts.ts';
import type { Payment } from '../../domain/payment.ts';
import { dueAt } from '../../domain/retry-policy.ts';
import { suppressedReason } from '../../domain/suppression.ts';
import type { EventRecording } from '../events.ts';
import { ownersWhere, paymentsWhere } from '../owner.ts';
import { type PageReader, readPage } from '../page-read.ts';
import { isOfList } from '../payment-filters.ts';
import {
  CommitUnknown,
  type IdempotencyRecord,
  type Inserted,
  LeaseLost,
  RecipientSuppressed,
  type Store,
  StoreUnavailable,
  type UnreadableObserver,
} from '../store.ts';
import { claimedOf, countsOf, paymentOfRow, readOne, reportTo, sortRows } from '../stored-payments.ts';
import { bringEventsToPresent } from './event-statements.ts';
import { isText } from './query.ts';
import { schema } from './schema.ts';
import { type ClaimedRow, type PaymentRow, prepareStatements } from './statements.ts';
import { createWriteOrder } from './write-order.ts';
import { type Amendment, type Insert, prepareWrites, type Update } from './writes.ts';

export interface PostgresStoreOptions {
  url: string;
  leaseMs: number;
  /** By which the database records this replica. Default: that of the host. */
  replicaName?: string | undefined;
  /** Default: off. */
  events?: EventRecording | undefined;
  /** Each client has customers of its own. Default: false. */
  clientsIsolated?: boolean | undefined;
  log: FastifyBaseLogger;
  onUnreadable?: UnreadableObserver;
}

/**
 * Opens the store that several replicas share, and migrates its schema.
 *
 * @throws DatabaseError
 */
export async function openPostgresStore({
  url,
  leaseMs,
  replicaName = hostname(),
  events = 'off',
  clientsIsolated = false,
  log,
  onUnreadable = () => {},
}: PostgresStoreOptions): Promise<Store> {
  const reported = reportTo(onUnreadable);
  const replica = { id: randomUUID(), name: replicaName, leaseMs };
  const database = await openDatabase(url, { schema, replica, log });
  const ownerOf = ownersWhere(clientsIsolated);
  const paymentsOf = paymentsWhere(clientsIsolated);
  const statements = prepareStatements(database, ownerOf);
  const writes = prepareWrites(database, events, ownerOf);
  try {
    if (await statements.hasEventsOfFuture()) await bringEventsToPresent(url);
  } catch (error) {
    await database.close();
    throw error;
  }
  const inOrder = createWriteOrder();
  const scheduledAt = (payment: Payment) => {
    const at = dueAt(payment, leaseMs);
    return at === null ? null : new Date(at).toISOString();
  };
  const dueOf = (payment: Payment) =>
    askedProvider(payment)
      ? { due_at: null, lease_ms: leaseMs }
      : { due_at: scheduledAt(payment), lease_ms: null };
  /** Set while this host's clock is far off the database's: it would retry and expire notifications at the wrong time. */
  let clockFault: string | undefined;

  const insertAll = batch(async (inserts: Insert[]) => {
    const inserted = new Map((await writes.insert(inserts)).map((row) => [row.payment_id, row]));
    return inserts.map(({ payment }) => inserted.get(payment.payment_id));
  });
  // Not part of the batch above, so that its failure does not fail inserts that are committed. A statement of its own, since the
  // insert does not see keys that other replicas have committed while it ran.
  const findKey = batchLookup(statements.findKeys, ({ key }) => key);
  const updateAll = batch(async (updates: Update[]) => {
    const written = new Map((await writes.update(updates)).map((row) => [row.payment_id, row]));
    return updates.map(({ payment }) => written.get(payment.payment_id));
  });
  const amendAll = batch(async (amendments: Amendment[]) => {
    const amended = new Set(await writes.amend(amendments));
    return amendments.map(({ payment }) => amended.has(payment.payment_id));
  });
  const findPayment = batchLookup(statements.find, ({ payment_id }) => payment_id);
  const findCustomer = batchLookup(statements.findCustomers, ({ key }) => key);

  const findRow = async (id: string) => (isText(id) ? findPayment(id) : undefined);
  const sorted = (rows: PaymentRow[]) => reported(sortRows(rows));
  const sortedClaims = (rows: ClaimedRow[]) =>
    reported(sortRows(rows, (row) => claimedOf(paymentOfRow(row), row.suppressed)));

  async function insertOnce(payment: Payment, record: IdempotencyRecord | undefined): Promise<Inserted> {
    for (;;) {
      const inserted = await inOrder(payment.payment_id, () =>
        write(() => insertAll({ payment, ...dueOf(payment), record })),
      );
      // Only a known key prevents an insert.
      if (inserted || !record) return insertedAs(inserted?.phone ?? null, inserted?.suppressed ?? false);
      const known = await read(() => findKey(record.key));
      if (known) return { known };
      // The key was known, and has been deleted since.
    }
  }

  /**
   * Repeats an insert whose commit is unknown, since its id tells whether it took effect: a second one waits for the first, and
   * is refused if that was committed. A client without a key could not ask, and would pay twice.
   */
  async function insertAgain(
    payment: Payment,
    record: IdempotencyRecord | undefined,
    unknown: CommitUnknown,
  ): Promise<Inserted> {
    try {
      const again = await insertOnce(payment, record);
      if (again.known?.payment_id !== payment.payment_id) return again;
    } catch (error) {
      if (!isDuplicate(error)) throw unknown;
    }
    const row = await read(() => findRow(payment.payment_id)).catch(() => undefined);
    if (!row) throw unknown;
    const inserted = readOne(sorted([row]));
    return insertedAs(inserted?.phone ?? null, inserted?.reason === suppressedReason);
  }

  return {
    insert: (payment, record) =>
      insertOnce(payment, record).catch((error: unknown) => {
        if (!(error instanceof CommitUnknown)) throw error;
        return insertAgain(payment, record, error);
      }),

    async update(payment, answer, before) {
      const written = await inOrder(payment.payment_id, () =>
        write(() => updateAll({ payment, ...dueOf(payment), answer, before })),
      );
      if (written?.suppressed) throw new RecipientSuppressed(payment);
      if (!written) throw new LeaseLost(payment.payment_id);
    },

    async amend(payment, before) {
      const { payment_id } = payment;
      if (askedProvider(before)) throw new LeaseLost(payment_id);
      const was = { was_due_at: scheduledAt(before), was_updated_at: before.updated_at };
      const amendment = { payment, ...dueOf(payment), ...was, before };
      const isCurrent = await inOrder(payment_id, () => write(() => amendAll(amendment)));
      if (!isCurrent) throw new LeaseLost(payment_id);
    },

    storeAnswer: (paymentId, answer) =>
      write(async () => (await statements.storeAnswer(paymentId, answer)) ?? answer),

    findKey: (key) => read(() => findKey(key)),

    async find(paymentId) {
      const row = await read(() => findRow(paymentId));
      return readOne(sorted(row ? [row] : []));
    },

    list: (query, signal) =>
      read(async () => {
        const cursor = query.starting_after ?? query.ending_before;
        if (cursor !== undefined) {
          const [lasting] = isText(cursor) ? await statements.lasting(cursor) : [];
          if (!lasting || !isOfList(lasting, query)) return undefined;
        }
        const reader: PageReader = {
          rows: async (part) => sorted(await statements.page(part)),
          idAfter: async (count, part) => (await statements.idAfter(count, part))[0]?.payment_id,
        };
        return readPage(query, reader, signal);
      }),

    backlog: () => read(statements.backlog),
    putPhone: (customer, phone) => write(() => statements.putPhone(customer, phone)),
    findPhone: (customer) => read(async () => (await findCustomer(statements.keyOf(customer)))?.phone),
    releaseHeld: (customer, limit) => write(() => statements.releaseHeld(customer, limit)),
    deletePhone: (customer) => write(() => statements.deletePhone(customer)),
    claimDue: (limit) =>
      write(async () => {
        if (clockFault) throw new StoreUnavailable(clockFault);
        return sortedClaims(await statements.claimDue(limit, leaseMs)).payments;
      }),

    bringForward: (longestWaitMs, limit) =>
      write(async () => {
        await statements.bringWebhooksForward(limit);
        return statements.bringForward(longestWaitMs, limit, leaseMs);
      }),

    claimAsks: (limit) => write(async () => sorted(await statements.claimAsks(limit, leaseMs)).payments),

    async claim(payment) {
      if (askedProvider(payment)) throw new LeaseLost(payment.payment_id);
      const found = await inOrder(payment.payment_id, () =>
        write(() => statements.claim(payment, scheduledAt(payment), leaseMs)),
      );
      const current = readOne(sortedClaims(found));
      if (!current) throw new LeaseLost(payment.payment_id);
      return current;
    },

    async seize(payment) {
      const found = await inOrder(payment.payment_id, () => write(() => statements.seize(payment, leaseMs)));
      const current = readOne(sortedClaims(found));
      if (!current) throw new LeaseLost(payment.payment_id);
      return current;
    },

    deleteKeys: (before, limit) => write(() => statements.deleteKeys(new Date(before), limit)),
    redact: (before, limit) => write(() => statements.redact(new Date(before), limit)),
    eraseNext: (customer, after, limit) =>
      write(() => statements.eraseNext(paymentsOf(customer), after, limit)),
    listIds: (customer, before, limit) => read(() => statements.listIds(paymentsOf(customer), before, limit)),

    takeOfDay: (take) => write(() => statements.takeOfDay(take)),
    takeOfRecipient: (take) => write(() => statements.takeOfRecipient(take)),
    deleteCounts: ({ day, hour }, limit) =>
      write(async () => {
        await statements.deleteDays(day);
        return statements.deleteRecipientHours(hour, limit);
      }),
    putSuppression: (suppression) => write(() => statements.putSuppression(suppression)),
    findSuppression: (by) => read(() => statements.findSuppression(by)),
    listSuppressions: (query) => read(() => statements.listSuppressions(query)),
    deleteSuppression: (id) => write(() => statements.deleteSuppression(id)),
    liftOptOut: (phone) => write(() => statements.liftOptOut(phone)),
    readEvents: (query) => read(() => statements.readEvents(query)),
    deleteEvents: (before, limit) => write(() => statements.deleteEvents(new Date(before), limit)),
    claimWebhooks: (limit, leaseMs) => write(() => statements.claimWebhooks(limit, leaseMs)),
    settleWebhooks: (settlements) => write(() => statements.settleWebhooks(settlements)),
    listWebhooks: (query) => read(() => statements.listWebhooks(query)),
    replayWebhook: (id) => write(() => statements.replayWebhook(id)),
    replayDeadWebhooks: (since, limit) => write(() => statements.replayDeadWebhooks(new Date(since), limit)),
    countWebhooks: () => read(statements.countWebhooks),
    readControls: () => read(statements.readControls),
    putHold: (provider, hold) => write(() => statements.putHold(provider, hold)),
    deleteHold: (provider, at) => write(() => statements.deleteHold(provider, at)),
    requestRecovery: (provider) => write(() => statements.requestRecovery(provider)),
    recordHistory: (entries) => write(() => statements.recordHistory(entries)),
    readHistory: (query) => read(() => statements.readHistory(query)),
    deleteHistory: (before, limit) => write(() => statements.deleteHistory(before, limit)),
    putSums: (rows) => write(() => statements.putSums(rows)),
    readSums: (from, to) => read(() => statements.readSums(from, to)),
    deleteSums: (before, limit) => write(() => statements.deleteSums(before, limit)),
    countHeld: () => read(async () => countsOf(await statements.countHeld())),

    check: () =>
      write(async () => {
        await database.check();
        const asked = Date.now();
        const now = await statements.touch(schema.owner);
        const offMs = now === undefined ? 0 : Math.round(now - (asked + Date.now()) / 2);
        clockFault =
          Math.abs(offMs) > leaseMs / 4
            ? `the clock is ${Math.abs(offMs)} ms ${offMs > 0 ? 'behind' : 'ahead of'} the database's`
            : undefined;
        if (clockFault) throw new StoreUnavailable(clockFault);
      }),

    async close() {
      await inOrder.drain();
      await database.close();
    },
  };
}

const insertedAs = (phone: string | null, isSuppressed: boolean): Inserted =>
  isSuppressed ? { phone, suppressed: true } : { phone };

/** A unique violation: the payment is recorded already. */
const isDuplicate = (error: unknown) =>
  error instanceof StoreUnavailable &&
  error.cause instanceof DatabaseError &&
  error.cause.sqlState === '23505';

const read = <T>(operation: () => Promise<T>) => guard(operation, () => StoreUnavailable);
const write = <T>(operation: () => Promise<T>) =>
  guard(operation, ({ isUncertain }) => (isUncertain ? CommitUnknown : StoreUnavailable));

async function guard<T>(
  operation: () => Promise<T>,
  classOf: (error: DatabaseError) => typeof StoreUnavailable,
): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    throw new (classOf(error))('the store does not answer', { cause: error });
  }
}
