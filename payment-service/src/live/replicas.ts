import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { parseJson } from 'service-kit/client/answer.ts';
import { providerSchema } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import type { Notifier } from '../delivery/notifier.ts';
import { circuitReportSchema } from '../providers/circuit-report.ts';

/** The shortest time between two messages of a replica. */
const publishIntervalMs = 500;
/** The longest time between two messages. */
const heartbeatMs = 5000;
/** A replica is removed this long after its last message. */
const expiryMs = 15_000;

const circuitSchema = circuitReportSchema.pick({ state: true, since: true });

/** The state of one replica. Each has circuits of its own. `current_notification_service` is its active provider. */
export const replicaSchema = z
  .object({
    name: z.string().meta({ example: 'replica-1' }),
    current_notification_service: providerSchema.nullable(),
    circuits: z.object({ Aldeamo: circuitSchema, Twilio: circuitSchema }),
  })
  .meta({ id: 'Replica' });
type Replica = z.infer<typeof replicaSchema>;

const messageSchema = replicaSchema.extend({
  /** Identifies the process, because two may have the same name. */
  id: z.string(),
  payments_changed: z.boolean(),
  /** Absent in the messages of earlier releases. */
  controls_changed: z.boolean().default(false),
});

/** Delivers texts of less than 8000 bytes to all replicas, the publisher included. */
export interface Channel {
  publish(text: string): Promise<void>;
  close(): Promise<void>;
}
export type OpenChannel = (onMessage: (text: string) => void) => Channel;

export interface Replicas {
  /** All replicas, this one included, ordered by name. */
  all(): Replica[];
  /** Publishes, with the next message, that a payment has changed. */
  publishChange(): void;
  /** Publishes, with the next message, that an operator has ordered something for a provider. */
  publishControls(): void;
  close(): Promise<void>;
}

export interface ReplicasOptions {
  name: string;
  notifier: Pick<Notifier, 'current' | 'report'>;
  /** Undefined if this process is the only one. */
  openChannel?: OpenChannel | undefined;
  /** Called when another replica has published a change of a payment. */
  onPaymentChanged: () => void;
  /** Called when another replica has published that an operator has ordered something for a provider. */
  onControlsChanged: () => void;
  log: FastifyBaseLogger;
}

/**
 * Publishes changes of payments and the state of the circuits to the other replicas, for the live page, and that an operator has
 * ordered something for a provider, so that it is read sooner: no decision depends on a message. Publishes at most twice a second and not with each payment, because NOTIFY takes a lock of PostgreSQL for which all
 * payments would wait.
 */
export function createReplicas(options: ReplicasOptions): Replicas {
  const { name, notifier, openChannel, onPaymentChanged, onControlsChanged, log } = options;
  const id = randomUUID();
  const others = new Map<string, { replica: Replica; lastMessageAt: number }>();
  const channel = openChannel?.(receive);
  let paymentsChanged = false;
  let controlsChanged = false;
  let published = '';
  let publishedAt = Number.NEGATIVE_INFINITY;

  function own(): Replica {
    const { Aldeamo, Twilio } = notifier.report();
    return {
      name,
      current_notification_service: notifier.current(),
      circuits: {
        Aldeamo: { state: Aldeamo.state, since: Aldeamo.since },
        Twilio: { state: Twilio.state, since: Twilio.since },
      },
    };
  }

  function receive(text: string): void {
    const message = messageSchema.safeParse(parseJson(text)).data;
    if (!message || message.id === id) return; // its own, or one of another release in another format
    const { id: sender, payments_changed, controls_changed, ...replica } = message;
    others.set(sender, { replica, lastMessageAt: performance.now() });
    if (payments_changed) onPaymentChanged();
    if (controls_changed) onControlsChanged();
  }

  async function publish(to: Channel): Promise<void> {
    const replica = own();
    const state = JSON.stringify(replica);
    const isNews = paymentsChanged || controlsChanged || state !== published;
    if (!isNews && performance.now() - publishedAt < heartbeatMs) return;
    const changes = { payments_changed: paymentsChanged, controls_changed: controlsChanged };
    paymentsChanged = false;
    controlsChanged = false;
    published = state;
    publishedAt = performance.now();
    await to.publish(JSON.stringify({ ...replica, id, ...changes }));
  }
  const timer =
    channel &&
    setInterval(() => {
      publish(channel).catch((err: unknown) =>
        log.debug({ err }, 'a message to the other replicas could not be published'),
      );
    }, publishIntervalMs).unref();

  return {
    all() {
      const now = performance.now();
      for (const [sender, { lastMessageAt }] of others)
        if (now - lastMessageAt > expiryMs) others.delete(sender);
      return [own(), ...[...others.values()].map(({ replica }) => replica)].sort((one, other) =>
        one.name.localeCompare(other.name),
      );
    },
    publishChange() {
      paymentsChanged = true;
    },
    publishControls() {
      controlsChanged = true;
    },
    async close() {
      clearInterval(timer);
      await channel?.close();
    },
  };
}
