import { z } from 'zod';
import { isPossibleDuplicate } from './deliveries.ts';
import { notificationStatusSchema, type Payment } from './payment.ts';
import { eventPaymentExample } from './payment-example.ts';
import { newEventId } from './payment-id.ts';
import { paymentViewSchema, viewPayment } from './payment-view.ts';

/** What became of a payment, for the merchant's backend: an event for each change of its notification status. */

type Status = Payment['notification_status'];
const typeOf = (status: Status) => `payment.notification.${status}` as const;
const statusTypes = notificationStatusSchema.options.map(typeOf);

export const eventTypeSchema = z.enum([...statusTypes, 'payment.possible_duplicate']).meta({
  description: 'What the notification status has changed to, or that the customer may receive the SMS twice',
  example: 'payment.notification.delivered',
});
export type EventType = z.infer<typeof eventTypeSchema>;

const {
  message: _message,
  attempts: _attempts,
  ...notification
} = paymentViewSchema.shape.notification.shape;

/** The payment without its text, its phone, its attempts and actions, as it was when the event was recorded. */
export const eventDataSchema = paymentViewSchema
  .omit({ actions: true })
  .extend({ notification: z.object(notification) })
  .meta({ id: 'EventPayment', example: eventPaymentExample });

export const eventSchema = z
  .object({
    id: z.string().meta({
      description: 'The same in the feed and in each delivery (`webhook-id`)',
      example: 'evt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d',
    }),
    type: eventTypeSchema,
    timestamp: z.iso.datetime().meta({ description: 'When it happened' }),
    data: eventDataSchema,
  })
  .meta({ id: 'Event' });

/** An event as it is stored. */
export interface PaymentEvent {
  event_id: string;
  payment_id: string;
  type: EventType;
  /** JSON, written once, so that all that is sent of it is the same. */
  data: string;
  created_at: string;
}

/** Whether its notification status is another one than before. A new payment, which was undefined, is pending at first. */
export const hasNewStatus = ({ notification_status }: Payment, before: Payment | undefined): boolean =>
  notification_status !== (before?.notification_status ?? 'pending');

/**
 * The events of a change, in their order: of a payment that was `before` when it was stored last; a new one was undefined. That it
 * is pending at first is no event, because the response to its request says so.
 */
export function eventsOf(payment: Payment, before: Payment | undefined): PaymentEvent[] {
  const { payment_id, notification_status, attempts } = payment;
  const isChanged = hasNewStatus(payment, before);
  const mayBeTwice = isPossibleDuplicate(attempts) && !(before && isPossibleDuplicate(before.attempts));
  if (!isChanged && !mayBeTwice) return [];
  const created_at = payment.updated_at ?? payment.created_at;
  const data = JSON.stringify(dataOf(payment));
  const event = (type: EventType): PaymentEvent => ({
    event_id: newEventId(),
    payment_id,
    type,
    data,
    created_at,
  });
  const events = isChanged ? [event(typeOf(notification_status))] : [];
  return mayBeTwice ? [...events, event('payment.possible_duplicate')] : events;
}

function dataOf(payment: Payment): z.infer<typeof eventDataSchema> {
  const { notification, actions: _ofOperators, ...data } = viewPayment(payment);
  const { message: _message, attempts: _attempts, ...rest } = notification;
  return { ...data, notification: rest };
}
