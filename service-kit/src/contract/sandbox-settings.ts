import { z } from 'zod';

const rate = (what: string, of = 'sends') =>
  z
    .number()
    .min(0)
    .max(1)
    .meta({ description: `The share of ${of} that ${what}` });
const rateOfAccepted = (what: string) => rate(what, 'accepted SMS');
const wholeMilliseconds = z.number().int().min(0).max(600_000);
const milliseconds = (what: string) => wholeMilliseconds.meta({ description: `Milliseconds: ${what}` });

/**
 * The settings of a provider's sandbox. A request meets at most one of the faults. An accepted SMS has one end, and its receipt at
 * most one fault.
 */
export const sandboxSettingsSchema = z
  .strictObject({
    latency_ms: milliseconds('how long a send takes'),
    failure_rate: rate('fail: they are not accepted, and answered with 503'),
    slow_rate: rate('take `slow_ms` longer'),
    slow_ms: milliseconds('how much longer a slow send takes'),
    hang_rate: rate('are not accepted, and never answered'),
    cut_before_rate: rate('are not accepted, and lose their connection'),
    cut_after_rate: rate('are accepted, and lose their connection'),
    late_rate: rate('are accepted, and answered `late_ms` later'),
    late_ms: milliseconds('how much later a late answer arrives'),
    throttle_rate: rate('are not accepted, and answered with 429 and `retry_after_s` as Retry-After'),
    retry_after_s: z
      .number()
      .int()
      .min(0)
      .max(86_400)
      .meta({ description: 'Seconds: the Retry-After of a throttled send' }),
    garbage_rate: rate('are accepted, and answered with 200 and an unreadable body'),
    delivery_ms: wholeMilliseconds.nullable().meta({
      description:
        'Milliseconds: how long after it was accepted an SMS is delivered, and its receipt sent; null: there are no receipts',
    }),
    undelivered_rate: rateOfAccepted('are not delivered for want of the handset or the network'),
    not_sent_rate: rateOfAccepted('are certainly not sent'),
    filtered_rate: rateOfAccepted('are filtered for their text or sender'),
    refused_rate: rateOfAccepted('the recipient refuses'),
    receipt_late_rate: rateOfAccepted('have a receipt that is sent `receipt_late_ms` later'),
    receipt_late_ms: milliseconds('how much later a late receipt is sent'),
    receipt_twice_rate: rateOfAccepted('have a receipt that is sent twice'),
    receipt_contradicting_rate: rateOfAccepted(
      'are delivered, and have the receipts `undelivered` and `delivered`, in either order',
    ),
    receipt_lost_rate: rateOfAccepted('have a receipt that is not sent, and only learned by asking'),
    seed: z
      .number()
      .int()
      .min(0)
      .max(2 ** 32 - 1)
      .meta({ description: 'The seed of the random numbers; setting it restarts their sequence' }),
  })
  .meta({ id: 'SandboxSettings' });
export type SandboxSettings = z.infer<typeof sandboxSettingsSchema>;

/** Those that are absent stay unchanged. */
export const sandboxChangesSchema = sandboxSettingsSchema
  .partial()
  .meta({ id: 'SandboxChanges', example: { failure_rate: 0.5, latency_ms: 200 } });
