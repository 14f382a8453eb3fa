import { once } from 'node:events';
import { createServer } from 'node:net';
import { explainListenError } from 'service-kit/http/listen-error.ts';
import type { ServicePlan } from './settings.ts';

/** A line for each reason why services could not listen, with the remedy: a wrong HOST is one for all of them. */
export async function explainBusyPorts(plans: ServicePlan[]): Promise<string[]> {
  const reasons = await Promise.all(plans.map(explainBusyPort));
  const refused = plans.map(({ name }, index) => ({ name, reason: reasons[index] ?? '' }));
  const byReason = Object.groupBy(refused, ({ reason }) => reason);
  return Object.entries(byReason).flatMap(([reason, services = []]) =>
    reason ? [`${services.map(({ name }) => name).join(', ')} cannot start: ${reason}`] : [],
  );
}

async function explainBusyPort({ host, port, portSetting }: ServicePlan): Promise<string | undefined> {
  const server = createServer();
  try {
    await once(server.listen({ host, port }), 'listening');
    await new Promise((closed) => server.close(closed));
    return undefined;
  } catch (error) {
    const reason = await explainListenError(error, { host, port, setting: portSetting });
    if (!reason) throw error;
    return reason;
  }
}
