import { once } from 'node:events';
import { createServer } from 'node:net';
import { explainListenError, serviceAt } from 'service-kit/http/listen-error.ts';
import type { Command } from './arguments.ts';
import type { ServicePlan } from './settings.ts';

/**
 * A line for each reason why services could not listen, with the remedy: a wrong HOST is one for all of them, and so is another
 * start of this project.
 */
export async function explainBusyPorts(plans: ServicePlan[], { demo }: Command): Promise<string[]> {
  const reasons = await Promise.all(plans.map(explainBusyPort));
  if (reasons.every((reason) => reason !== undefined) && (await runAlready(plans)))
    return [
      `${demo ? 'The demo starts its own services, and they' : 'The services'} ${describeRunning(plans)}`,
    ];
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

async function runAlready(plans: ServicePlan[]): Promise<boolean> {
  const services = await Promise.all(plans.map(({ host, port }) => serviceAt(host, port)));
  return plans.every(({ name }, index) => services[index] === name);
}

/** A demo does not use them: whether they are live, have keys or share a database is not in the settings of this start. */
function describeRunning(plans: ServicePlan[]): string {
  const ports = plans.map(({ portSetting }) => portSetting).join(', ');
  return `run already, with their page at ${plans[0]?.url}: stop them (Ctrl-C where npm start runs, or docker compose down), or set other ports (${ports})`;
}
