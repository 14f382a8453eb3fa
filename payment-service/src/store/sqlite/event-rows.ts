import { eventsOf, type PaymentEvent } from '../../domain/events.ts';
import type { Payment } from '../../domain/payment.ts';
import type { EventRecording, WebhookDelivery } from '../events.ts';
import type { Values } from './rows.ts';

export const insertedNames = [
  'event_id',
  'payment_id',
  'type',
  'data',
  'created_at',
  'delivery_status',
  'due_at',
] as const;
/** The values of an INSERT, in the order of `insertedNames`. It is to be delivered at `due_at`, or not at all if that is null. */
export const eventValues = (event: PaymentEvent, due_at: number | null): Values => [
  event.event_id,
  event.payment_id,
  event.type,
  event.data,
  event.created_at,
  due_at === null ? null : 'pending',
  due_at,
];

/**
 * The last argument of a write of a payment: the rows of its events. There is none if nothing is recorded, so that a payment costs
 * what it would without events.
 */
export type EventRows = (payment: Payment, before: Payment | undefined) => [] | [Values[]];

export function eventRows(recording: EventRecording): EventRows {
  if (recording === 'off') return () => [];
  return (payment, before) => {
    const due_at = recording === 'webhooks' ? Date.now() : null;
    return [eventsOf(payment, before).map((event) => eventValues(event, due_at))];
  };
}

export interface DeliveryRow extends Omit<WebhookDelivery, 'next_try_at'> {
  due_at: number | null;
}

export function deliveryOf(row: DeliveryRow): WebhookDelivery {
  const { due_at, ...delivery } = row;
  return { ...delivery, next_try_at: due_at === null ? null : new Date(due_at).toISOString() };
}
