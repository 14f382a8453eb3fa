import { promisify } from 'node:util';
import { askedProvider } from '../../src/domain/attempts.ts';
import { isPossibleDuplicate } from '../../src/domain/deliveries.ts';
import { isOpen, type Payment } from '../../src/domain/payment.ts';
import { dueAt } from '../../src/domain/retry-policy.ts';
import { learnedOptOut, type Suppression, suppressNew } from '../../src/domain/suppression.ts';
import type { EventRecording } from '../../src/store/events.ts';
import { ownersWhere, paymentsWhere } from '../../src/store/owner.ts';
import { isOfList } from '../../src/store/payment-filters.ts';
import {
  type Claimed,
  type Customer,
  type IdempotencyRecord,
  LeaseLost,
  type PaymentFilters,
  type PaymentQuery,
  RecipientSuppressed,
  type Store,
  type StoredAnswer,
  StoreUnavailable,
} from '../../src/store/store.ts';
import { pageOf } from '../../src/store/suppressions.ts';
import { createMemoryControls } from './memory-controls.ts';
import { createMemoryEvents } from './memory-events.ts';
import { createMemoryOperations } from './memory-operations.ts';

export interface MemoryStore extends Store {
  /** Rejects writes, as a database does that another connection has locked or whose disk is full. */
  locked: boolean;
  /** Returns the payments on record, newest first, also once the store is closed. */
  recorded(): Payment[];
}

interface StoredPayment {
  payment: Payment;
  /** In ms since the epoch; null if no worker needs to look at it. */
  due: number | null;
}

interface StoredKey {
  record: IdempotencyRecord;
  /** The status of the first answer, if its body is erased. */
  erased?: number;
  created: number;
}

interface MemoryStoreOptions {
  leaseMs: number;
  events?: EventRecording;
  clientsIsolated?: boolean;
}

/** Taken at once, so that a test which fakes it stops no write. */
const nextTurn = promisify(setImmediate);

/**
 * A store for tests of what is built on one. It follows the rules of the other two (store-contract.ts), without a disk, a thread
 * or a network. A write takes effect in a later turn of the event loop, so that a caller which does not await it is found out.
 * Arguments and results are copies, as a database's are.
 */
export function createMemoryStore({
  leaseMs,
  events: recording = 'off',
  clientsIsolated = false,
}: MemoryStoreOptions): MemoryStore {
  const events = createMemoryEvents(recording);
  const controls = createMemoryControls();
  const operations = createMemoryOperations();
  const ownerOf = ownersWhere(clientsIsolated);
  const paymentsOf = paymentsWhere(clientsIsolated);
  const ofCustomer = ({ client, customer_id }: Customer) => `${ownerOf(client)}\n${customer_id}`;
  const payments = new Map<string, StoredPayment>();
  const keys = new Map<string, StoredKey>();
  const phones = new Map<string, string>();
  const days = new Map<string, number>();
  const recipientHours = new Map<string, number>();
  /** By phone. */
  const suppressions = new Map<string, Suppression>();
  let closed = false;

  const read =
    <Args extends unknown[], Result>(work: (...args: Args) => Result) =>
    async (...args: Args): Promise<Result> => {
      if (closed) throw new StoreUnavailable('the store is closed');
      return structuredClone(work(...args));
    };

  const write =
    <Args extends unknown[], Result>(work: (...args: Args) => Result) =>
    async (...args: Args): Promise<Result> => {
      const copies = structuredClone(args);
      await nextTurn();
      if (closed) throw new StoreUnavailable('the store is closed');
      if (store.locked)
        throw new StoreUnavailable('the store does not answer', { cause: new Error('database is locked') });
      return structuredClone(work(...copies));
    };

  const isSuppressed = ({ phone }: Payment) => phone !== null && suppressions.has(phone);

  function putSuppression(given: Suppression): Suppression {
    const known = suppressions.get(given.phone);
    const { source, reason } = given;
    if (!known) suppressions.set(given.phone, given);
    else if (source === 'admin' && known.source === 'opt_out')
      suppressions.set(given.phone, { ...known, source, reason, provider: null });
    return suppressions.get(given.phone) ?? given;
  }

  const findSuppression = (id: string) =>
    [...suppressions.values()].find(({ suppression_id }) => suppression_id === id);

  const newestFirst = () =>
    [...payments.values()]
      .map(({ payment }) => payment)
      .sort((a, b) => (a.payment_id < b.payment_id ? 1 : -1));

  /** Raises the fencing token, so that writers which hold an older copy are rejected. */
  function lease(stored: StoredPayment): Claimed {
    stored.payment = { ...stored.payment, fence: stored.payment.fence + 1 };
    stored.due = Date.now() + leaseMs;
    return isSuppressed(stored.payment) ? { ...stored.payment, suppressed: true } : stored.payment;
  }

  /** @throws LeaseLost */
  function findCurrent({ payment_id, fence }: Payment): StoredPayment {
    const stored = payments.get(payment_id);
    if (stored?.payment.fence !== fence) throw new LeaseLost(payment_id);
    return stored;
  }

  /** Only what an update may change is changed. */
  function put(stored: StoredPayment, payment: Payment): void {
    const { amount_minor, currency, customer_id, message, encoding, segments } = stored.payment;
    const { client, reference, metadata, created_at, traceparent, request_id } = stored.payment;
    stored.payment = {
      ...payment,
      ...{ amount_minor, currency, customer_id, message, encoding, segments },
      ...{ client, reference, metadata, created_at, traceparent, request_id },
    };
    stored.due = dueAt(payment, leaseMs);
  }

  const findKey = (paymentId: string) =>
    [...keys.values()].find(({ record }) => record.payment_id === paymentId);

  function storeAnswer(paymentId: string, answer: StoredAnswer): StoredAnswer {
    const key = findKey(paymentId);
    if (key?.erased !== undefined) return { ...answer, status: key.erased };
    if (key) key.record.answer ??= answer;
    return key?.record.answer ?? answer;
  }

  function isOf(customer: Customer): (payment: Payment) => boolean {
    const { customer_id, client, of_any_client } = paymentsOf(customer);
    return (payment) => payment.customer_id === customer_id && (of_any_client || payment.client === client);
  }

  /** Returns whether there was anything to erase. */
  function erase({ payment_id }: Payment): boolean {
    const stored = payments.get(payment_id) as StoredPayment;
    const { message, phone, metadata, fence } = stored.payment;
    const hasReasons = stored.payment.actions.some(({ reason }) => reason !== null);
    if (message === null && phone === null && metadata === null && !hasReasons) return false;
    const attempts = stored.payment.attempts.map((attempt) => ({ ...attempt, phone_last4: null }));
    const nothing = { message: null, phone: null, metadata: null };
    const actions = stored.payment.actions.map((action) => ({ ...action, reason: null }));
    stored.payment = { ...stored.payment, ...nothing, attempts, actions, fence: fence + 1 };
    return true;
  }

  /** Returns whether there was one. */
  function eraseAnswer(paymentId: string): boolean {
    const key = findKey(paymentId);
    if (!key) return false;
    const { answer } = key.record;
    key.erased ??= answer?.status ?? 201;
    key.record.answer = null;
    return answer !== null;
  }

  function learn(payment: Payment, before: Payment | undefined): void {
    const optOut = learnedOptOut(payment, before);
    if (optOut) putSuppression(optOut);
  }

  const store: MemoryStore = {
    locked: false,
    recorded: () => structuredClone(newestFirst()),

    insert: write((payment: Payment, record?: IdempotencyRecord) => {
      const known = record && keys.get(record.key)?.record;
      if (known) return { known };
      if (payments.has(payment.payment_id)) throw new StoreUnavailable('the payment exists');
      const phone = payment.phone ?? phones.get(ofCustomer(payment)) ?? null;
      const given = { ...payment, phone };
      const suppressed = isSuppressed(given);
      const inserted = suppressed ? suppressNew(given) : given;
      payments.set(payment.payment_id, { payment: inserted, due: dueAt(inserted, leaseMs) });
      events.record(inserted, undefined);
      if (record)
        keys.set(record.key, {
          record: suppressed ? { ...record, answer: null } : record,
          created: Date.now(),
        });
      return suppressed ? { phone, suppressed } : { phone };
    }),

    update: write((payment, answer, before) => {
      if (askedProvider(payment) && isSuppressed(payment)) throw new RecipientSuppressed(payment);
      put(findCurrent(payment), payment);
      if (answer) storeAnswer(payment.payment_id, answer);
      learn(payment, before);
      events.record(payment, before);
    }),

    amend: write((payment, before) => {
      if (askedProvider(before)) throw new LeaseLost(payment.payment_id);
      const stored = findCurrent(before);
      if (stored.due !== dueAt(before, leaseMs) || stored.payment.updated_at !== before.updated_at)
        throw new LeaseLost(payment.payment_id);
      put(stored, { ...payment, fence: before.fence + 1 });
      learn(payment, before);
      events.record(payment, before);
    }),

    storeAnswer: write(storeAnswer),

    findKey: read((key) => keys.get(key)?.record),
    find: read((paymentId) => payments.get(paymentId)?.payment),

    list: read((query: PaymentQuery) => {
      const { starting_after, ending_before, limit } = query;
      const cursor = starting_after ?? ending_before;
      const at = cursor === undefined ? undefined : payments.get(cursor)?.payment;
      if (cursor !== undefined && !(at && isOfList(at, query))) return undefined;
      const found = newestFirst().filter((payment) => isFound(payment, query));
      const older = found.filter(({ payment_id }) => payment_id < (starting_after ?? '~'));
      if (ending_before === undefined)
        return { payments: older.slice(0, limit), has_more: older.length > limit };
      const newer = found.filter(({ payment_id }) => payment_id > ending_before);
      return { payments: newer.slice(-limit), has_more: newer.length > limit };
    }),

    backlog: read(() => {
      const pending = newestFirst().filter(({ notification_status }) => notification_status === 'pending');
      return { size: pending.length, oldest_at: pending.at(-1)?.created_at ?? null };
    }),

    putPhone: write((customer, phone) => {
      const isNew = !phones.has(ofCustomer(customer));
      phones.set(ofCustomer(customer), phone);
      return isNew;
    }),
    findPhone: read((customer) => phones.get(ofCustomer(customer))),
    deletePhone: write((customer) => phones.delete(ofCustomer(customer))),

    claimDue: write((limit) =>
      [...payments.values()]
        .filter(({ due }) => due !== null && due <= Date.now())
        .sort((a, b) => Number(a.due) - Number(b.due))
        .slice(0, limit)
        .map(lease),
    ),

    claimAsks: write((limit) =>
      [...payments.values()]
        .filter(({ payment }) => payment.ask_at !== null && Date.parse(payment.ask_at) <= Date.now())
        .sort((a, b) => Date.parse(String(a.payment.ask_at)) - Date.parse(String(b.payment.ask_at)))
        .slice(0, limit)
        .map((stored) => {
          stored.payment = { ...stored.payment, ask_at: new Date(Date.now() + leaseMs).toISOString() };
          return stored.payment;
        }),
    ),

    releaseHeld: write(({ client, customer_id }, limit) => {
      const owner = ownerOf(client);
      const held = [...payments.values()]
        .filter(({ payment, due }) => payment.customer_id === customer_id && Number(due) > Date.now())
        .filter(({ payment }) => ownerOf(payment.client) === owner)
        .filter(
          ({ payment: { notification_status, reason } }) =>
            notification_status === 'held' && reason === 'phone_unknown',
        )
        .slice(0, limit);
      for (const stored of held) {
        const { fence } = stored.payment;
        stored.payment = { ...stored.payment, next_attempt_at: new Date().toISOString(), fence: fence + 1 };
        stored.due = Date.now();
      }
      return held.length;
    }),

    bringForward: write((longestWaitMs, limit) => {
      const [latest, leasedUntil] = [Date.now() + longestWaitMs, Date.now() + leaseMs];
      const isScheduled = ({ payment, due }: StoredPayment) =>
        !askedProvider(payment) && due === dueAt(payment, leaseMs);
      const late = [...payments.values()]
        .filter((stored) => stored.due !== null && stored.due > (isScheduled(stored) ? latest : leasedUntil))
        .filter((stored) => stored.payment.next_attempt_at !== null || !isScheduled(stored))
        .slice(0, limit);
      for (const stored of late)
        stored.due = isScheduled(stored) ? Math.min(latest, leasedUntil) : leasedUntil;
      events.bringForward(limit);
      return late.length;
    }),

    claim: write((payment) => {
      const stored = findCurrent(payment);
      if (askedProvider(payment)) throw new LeaseLost(payment.payment_id);
      if (stored.due !== dueAt(payment, leaseMs) || stored.payment.updated_at !== payment.updated_at)
        throw new LeaseLost(payment.payment_id);
      return lease(stored);
    }),

    seize: write((payment) => lease(findCurrent(payment))),

    deleteKeys: write((before, limit) => {
      const old = [...keys.values()]
        .filter(({ created }) => created < before)
        .sort((a, b) => a.created - b.created)
        .slice(0, limit);
      for (const { record } of old) keys.delete(record.key);
      return old.length;
    }),

    redact: write((before, limit) => {
      const old = [...payments.values()]
        .filter(
          ({ payment, due }) =>
            payment.message !== null &&
            Date.parse(payment.created_at) < before &&
            !isOpen(payment) &&
            due === null,
        )
        .sort((a, b) => Date.parse(a.payment.created_at) - Date.parse(b.payment.created_at))
        .slice(0, limit);
      for (const stored of old) {
        const fence = stored.payment.fence + 1;
        const attempts = stored.payment.attempts.map((attempt) => ({ ...attempt, phone_last4: null }));
        stored.payment = { ...stored.payment, message: null, phone: null, attempts, fence };
      }
      return old.length;
    }),

    eraseNext: write((customer, after, limit) => {
      const found = newestFirst()
        .filter(isOf(customer))
        .filter(({ payment_id }) => after === undefined || payment_id > after)
        .toReversed()
        .slice(0, limit);
      const open = found.filter(isOpen);
      const ended = found.filter((each) => !isOpen(each) && payments.get(each.payment_id)?.due === null);
      const suppressed = found.some(isSuppressed);
      const erased = ended.filter(erase).length;
      const ids = ended.map(({ payment_id }) => payment_id);
      return {
        last: found.length === limit ? (found.at(-1)?.payment_id ?? null) : null,
        open: open.map(({ payment_id }) => payment_id),
        leased: found.length - open.length - ended.length,
        ...{ erased, suppressed, answers: ids.filter(eraseAnswer).length, events: events.erase(ids) },
      };
    }),

    listIds: read((customer, before, limit) =>
      newestFirst()
        .filter(isOf(customer))
        .map(({ payment_id }) => payment_id)
        .filter((id) => before === undefined || id < before)
        .slice(0, limit),
    ),

    takeOfDay: write(({ day, cap, block, needed }) => {
      const taken = days.get(day) ?? 0;
      if (taken + needed > cap) return 0;
      const given = Math.max(needed, Math.min(block, Math.trunc((cap - taken) / 10)));
      days.set(day, taken + given);
      return given;
    }),

    takeOfRecipient: write(({ hour, phone, cap, segments }) => {
      const taken = recipientHours.get(`${hour}${phone}`) ?? 0;
      if (taken + segments > cap) return false;
      recipientHours.set(`${hour}${phone}`, taken + segments);
      return true;
    }),

    deleteCounts: write((before, limit) => {
      for (const day of days.keys()) if (day < before.day) days.delete(day);
      const old = [...recipientHours.keys()].filter((key) => key.slice(0, before.hour.length) < before.hour);
      for (const key of old.slice(0, limit)) recipientHours.delete(key);
      return Math.min(old.length, limit);
    }),

    putSuppression: write((given) => {
      const suppression = putSuppression(given);
      return { suppression, isNew: suppression.suppression_id === given.suppression_id };
    }),
    findSuppression: read((by) =>
      'phone' in by ? suppressions.get(by.phone) : findSuppression(by.suppression_id),
    ),
    listSuppressions: read(({ limit, starting_after: after }) => {
      if (after !== undefined && !findSuppression(after)) return undefined;
      const found = [...suppressions.values()]
        .filter(({ suppression_id: id }) => after === undefined || id < after)
        .sort((a, b) => (a.suppression_id < b.suppression_id ? 1 : -1));
      return pageOf(found, limit);
    }),
    deleteSuppression: write((id) => suppressions.delete(findSuppression(id)?.phone ?? '')),
    liftOptOut: write((phone) => suppressions.get(phone)?.source === 'opt_out' && suppressions.delete(phone)),

    readEvents: read(events.read),
    deleteEvents: write(events.delete),
    claimWebhooks: write(events.claim),
    settleWebhooks: write(events.settle),
    listWebhooks: read(events.list),
    replayWebhook: write(events.replay),
    replayDeadWebhooks: write(events.replayDead),
    countWebhooks: read(events.count),

    readControls: read(controls.read),
    putHold: write(controls.put),
    deleteHold: write(controls.delete),
    requestRecovery: write(controls.request),
    recordHistory: write(operations.recordHistory),
    readHistory: read(operations.readHistory),
    deleteHistory: write(operations.deleteHistory),
    putSums: write(operations.putSums),
    readSums: read(operations.readSums),
    deleteSums: write(operations.deleteSums),

    countHeld: read(() => {
      const counts: Record<string, number> = {};
      for (const { notification_status, reason } of newestFirst())
        if (notification_status === 'held' && reason !== null) counts[reason] = (counts[reason] ?? 0) + 1;
      return counts;
    }),

    check: write(() => {}),
    async close() {
      await nextTurn();
      closed = true;
    },
  };
  return store;
}

const isFound = (payment: Payment, filters: PaymentFilters): boolean =>
  isOfList(payment, filters) &&
  (filters.notification_status ?? [payment.notification_status]).includes(payment.notification_status) &&
  (filters.notification_service ?? payment.notification_service) === payment.notification_service &&
  (filters.reason ?? payment.reason) === payment.reason &&
  (filters.possible_duplicate ?? isPossibleDuplicate(payment.attempts)) ===
    isPossibleDuplicate(payment.attempts);
