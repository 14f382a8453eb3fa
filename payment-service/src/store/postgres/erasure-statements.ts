import type { Payment } from '../../domain/payment.ts';
import type { ErasedStep } from '../erasure.ts';
import type { CustomersPayments } from '../owner.ts';
import type { Query } from './query.ts';

const ofCustomer = 'customer_id = $1 AND ($2 OR client IS NOT DISTINCT FROM $3)';
const isOpen = "notification_status IN ('pending', 'held')";
const ended = 'payment_id = ANY (ARRAY (SELECT payment_id FROM ended))';

/** Of the actions: what operators gave as their reasons. */
const withoutReasons = `(SELECT jsonb_agg(jsonb_set(action, '{reason}', 'null') ORDER BY place) FROM jsonb_array_elements(actions) WITH ORDINALITY AS given (action, place))`;
const hasReasons = "jsonb_path_exists(actions, '$[*].reason ? (@ != null)')";
/** Of an event. */
const withoutMetadata = "jsonb_set(data::jsonb, '{metadata}', '{}')::text";

/** After the id of every payment. */
const end = '\u{10FFFF}';

const valuesOf = ({ customer_id, of_any_client, client }: CustomersPayments) => [
  customer_id,
  of_any_client,
  client,
];

type Row = ErasedStep & { looked_at: number };

/** The statements about all that is stored of a customer. */
export const erasureStatements = (query: Query) => ({
  listIds: async (
    payments: CustomersPayments,
    before: string | undefined,
    limit: number,
  ): Promise<string[]> =>
    (
      await query<Pick<Payment, 'payment_id'>>(
        'list_ids',
        `SELECT payment_id FROM payments WHERE ${ofCustomer} AND payment_id < $4
         ORDER BY payment_id DESC LIMIT $5`,
        [...valuesOf(payments), before ?? end, limit],
      )
    ).map(({ payment_id }) => payment_id),

  /**
   * A payment that another transaction has locked counts as leased. Keys and events are those of locked payments, so that two
   * erasures of one customer do not wait for each other.
   */
  async eraseNext(
    payments: CustomersPayments,
    after: string | undefined,
    limit: number,
  ): Promise<ErasedStep> {
    const [row] = (await query<Row>(
      'erase_next',
      `WITH looked_at AS MATERIALIZED (
         SELECT payment_id, phone, ${isOpen} AS is_open FROM payments
         WHERE ${ofCustomer} AND payment_id > $4 ORDER BY payment_id LIMIT $5
       ), ended AS MATERIALIZED (
         SELECT payment_id FROM payments
         WHERE payment_id = ANY (ARRAY (SELECT payment_id FROM looked_at WHERE NOT is_open))
           AND due_at IS NULL AND NOT ${isOpen}
         FOR UPDATE SKIP LOCKED
       ), erased AS (
         UPDATE payments SET message = NULL, phone = NULL, metadata = NULL, fence = fence + 1, actions = ${withoutReasons}
         WHERE ${ended} AND (message IS NOT NULL OR phone IS NOT NULL OR metadata IS NOT NULL OR ${hasReasons})
         RETURNING 1
       ), erased_attempts AS (
         UPDATE attempts SET phone_last4 = NULL WHERE ${ended} AND phone_last4 IS NOT NULL
       ), answers AS (
         SELECT 1 FROM idempotency_keys WHERE ${ended} AND answer_body IS NOT NULL
       ), erased_answers AS ( -- with a status, so that no answer which is under way is stored
         UPDATE idempotency_keys SET answer_status = coalesce(answer_status, 201), answer_body = NULL
         WHERE ${ended} AND (answer_status IS NULL OR answer_body IS NOT NULL)
       ), deleted_events AS (
         DELETE FROM events
         WHERE ${ended} AND delivery_status IS DISTINCT FROM 'pending' AND type <> 'payment.notification.cancelled'
         RETURNING 1
       ), erased_pending AS (
         UPDATE events SET data = ${withoutMetadata}
         WHERE ${ended} AND delivery_status = 'pending'
           AND data::jsonb -> 'metadata' <> '{}'
       ), erased_cancellations AS (
         UPDATE events SET data = ${withoutMetadata}
         WHERE ${ended} AND delivery_status IS DISTINCT FROM 'pending' AND type = 'payment.notification.cancelled'
           AND data::jsonb -> 'metadata' <> '{}'
       )
       SELECT (SELECT count(*) FROM looked_at) AS looked_at,
         (SELECT max(payment_id) FROM looked_at) AS last,
         ARRAY (SELECT payment_id FROM looked_at WHERE is_open ORDER BY payment_id) AS open,
         (SELECT count(*) FROM looked_at WHERE NOT is_open) - (SELECT count(*) FROM ended) AS leased,
         (SELECT count(*) FROM erased) AS erased,
         (SELECT count(*) FROM answers) AS answers,
         (SELECT count(*) FROM deleted_events) AS events,
         EXISTS (SELECT 1 FROM suppressions WHERE phone = ANY (ARRAY (SELECT phone FROM looked_at))) AS suppressed`,
      [...valuesOf(payments), after ?? '', limit],
    )) as [Row];
    const { looked_at, last, ...step } = row;
    return { ...step, last: looked_at === limit ? last : null };
  },
});
