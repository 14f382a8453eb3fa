import { Counter, type Registry } from 'prom-client';
import { actionSchema } from '../domain/actions.ts';
import type { PaymentObserver } from '../domain/payment.ts';

/** Counts what operators have done about notifications. */
export function countActions(registry: Registry): PaymentObserver {
  const actions = new Counter({
    name: 'paysms_operator_actions_total',
    help: 'What operators have done about notifications, each notification counted once an action',
    labelNames: ['action'],
    registers: [registry],
  });
  // Exported as 0 before the first event, because `rate()` does not see the step from no sample to 1.
  for (const action of actionSchema.shape.action.options) actions.inc({ action }, 0);

  return (payment, before) => {
    for (const { action } of payment.actions.slice(before?.actions.length ?? 0)) actions.inc({ action });
  };
}
