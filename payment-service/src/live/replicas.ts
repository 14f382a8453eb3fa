import { randomUUID } from 'node:crypto';
import type { FastifyBaseLogger } from 'fastify';
import { parseJson } from 'service-kit/client/answer.ts';
import { providerSchema } from 'service-kit/contract/notification.ts';
import { z } from 'zod';
import type { Notifier } from '../delivery/notifier.ts';
import { circuitReportSchema } from '../providers/circuit-report.ts';

/** At most this often a replica says what has changed. */
const tickMs = 500;
/** At least this often it says that it is there. */
const heartbeatMs = 5000;
/** So long after it was last heard of it is taken to be gone. */
const forgottenAfterMs = 15_000;

const circuitSchema = circuitReportSchema.pick({ state: true, since: true });

/** What a replica says of itself: each has circuits of its own. */
export const replicaSchema = z.object({
  name: z.string(),
  current_notification_service: providerSchema.nullable(),
  circuits: z.object({ Aldeamo: circuitSchema, Twilio: circuitSchema }),
});
type Replica = z.infer<typeof replicaSchema>;

const messageSchema = replicaSchema.extend({
  /** Of the process: two may have the same name. */
  id: z.string(),
  payments_changed: z.boolean(),
});

/** Carries texts of less than 8000 bytes to all replicas, their sender included. */
export interface Channel {
  publish(text: string): Promise<void>;
  close(): Promise<void>;
}
export type OpenChannel = (onMessage: (text: string) => void) => Channel;

export interface Replicas {
  /** All that are there, by name. */
  all(): Replica[];
  /** Tells the others, soon, that a payment has changed. */
  paymentChanged(): void;
  close(): Promise<void>;
}

export interface ReplicasOptions {
  name: string;
  notifier: Pick<Notifier, 'current' | 'report'>;
  /** Where there is none, this process is the only one. */
  openChannel?: OpenChannel | undefined;
  /** Another replica says that a payment has changed. */
  onPaymentChanged: () => void;
  log: FastifyBaseLogger;
}

/**
 * What the replicas tell each other: that payments have changed, and how their circuits are. It is for those who watch, and
 * nothing is decided by it; so it is not told with each payment, which would have them all wait for one lock of PostgreSQL,
 * but at most twice in a second.
 */
export function createReplicas(options: ReplicasOptions): Replicas {
  const { name, notifier, openChannel, onPaymentChanged, log } = options;
  const id = randomUUID();
  const others = new Map<string, { replica: Replica; heardAt: number }>();
  const channel = openChannel?.(hear);
  let paymentsChanged = false;
  let told = '';
  let toldAt = Number.NEGATIVE_INFINITY;

  function itself(): Replica {
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

  function hear(text: string): void {
    const message = messageSchema.safeParse(parseJson(text)).data;
    if (!message || message.id === id) return; // its own, or that of a later release, which may say it differently
    const { id: sender, payments_changed, ...replica } = message;
    others.set(sender, { replica, heardAt: performance.now() });
    if (payments_changed) onPaymentChanged();
  }

  async function tell(to: Channel): Promise<void> {
    const replica = itself();
    const news = JSON.stringify(replica);
    if (!paymentsChanged && news === told && performance.now() - toldAt < heartbeatMs) return;
    const payments_changed = paymentsChanged;
    paymentsChanged = false;
    told = news;
    toldAt = performance.now();
    await to.publish(JSON.stringify({ ...replica, id, payments_changed }));
  }
  const telling =
    channel &&
    setInterval(() => {
      tell(channel).catch((err: unknown) => log.debug({ err }, 'the other replicas could not be told'));
    }, tickMs).unref();

  return {
    all() {
      const now = performance.now();
      for (const [sender, { heardAt }] of others) if (now - heardAt > forgottenAfterMs) others.delete(sender);
      return [itself(), ...[...others.values()].map(({ replica }) => replica)].sort((one, other) =>
        one.name.localeCompare(other.name),
      );
    },
    paymentChanged() {
      paymentsChanged = true;
    },
    async close() {
      clearInterval(telling);
      await channel?.close();
    },
  };
}
