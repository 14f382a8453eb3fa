import type { Provider } from 'service-kit/contract/notification.ts';
import { z } from 'zod';

/** That an operator has taken a provider out of service: no SMS is offered to it, whatever its circuit is. */
export const providerHoldSchema = z
  .object({
    since: z.iso.datetime(),
    until: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When the hold ends by itself; null: not before it is released' }),
    by: z
      .string()
      .nullable()
      .meta({ description: 'The name of the key that set it; null without keys', example: 'maria' }),
    reason: z.string().meta({ description: 'Why, in the words of the operator', example: 'they send twice' }),
  })
  .meta({ id: 'ProviderHold' });
export type ProviderHold = z.infer<typeof providerHoldSchema>;

/** What operators have ordered for a provider, in all replicas. */
export interface ProviderControls {
  provider: Provider;
  /** The hold that was set last, unless it was released. It may have ended by itself. */
  hold: ProviderHold | null;
  /** How often a recovery was requested. */
  recoveries: number;
}

/** Whether it has not ended by itself at this time, in ms since the epoch. */
export const isInForce = ({ until }: Pick<ProviderHold, 'until'>, now: number): boolean =>
  until === null || Date.parse(until) > now;
