import type { FastifyBaseLogger } from 'fastify';
import type { Provider } from 'service-kit/contract/notification.ts';
import type { ProviderHold } from '../domain/provider-controls.ts';
import type { Store } from '../store/store.ts';
import type { Notifier } from './notifier.ts';
import type { ProviderHolds } from './provider-holds.ts';

const readEveryMs = 5000;

/** What operators order for the providers: it is stored, and each replica follows it. */
export interface ControlsFollower {
  /**
   * Reads the holds, and checks Aldeamo if its recovery was requested since the last read.
   *
   * @throws StoreUnavailable
   */
  read(): Promise<void>;
  /** As `read`, without waiting for it: another replica has changed something. */
  readSoon(): void;
  /**
   * Returns whether the provider was not held before. The hold is in force here when it resolves.
   *
   * @throws StoreUnavailable
   */
  hold(provider: Provider, hold: ProviderHold): Promise<boolean>;
  /** Returns whether the provider was held. @throws StoreUnavailable */
  release(provider: Provider): Promise<boolean>;
  /** Has each other replica check Aldeamo, and close its circuit if it is healthy. @throws StoreUnavailable */
  requestRecovery(): Promise<void>;
  stop(): void;
}

export interface FollowControlsOptions {
  store: Pick<Store, 'readControls' | 'putHold' | 'deleteHold' | 'requestRecovery'>;
  /** Those that the notifier has as well. */
  holds: ProviderHolds;
  notifier: Pick<Notifier, 'recover'>;
  /** Called when this replica has changed something. It must not throw. */
  onChange: () => void;
  log: FastifyBaseLogger;
}

/** Reads at once and every five seconds, by a timer of its own, so that a slow outbox delays nothing. */
export function followControls({
  store,
  holds,
  notifier,
  onChange,
  log,
}: FollowControlsOptions): ControlsFollower {
  /** How often a recovery had been requested at the last read; undefined before the first one, which requests none. */
  let recoveries: number | undefined;

  async function recover(): Promise<void> {
    const isHealthy = await notifier.recover();
    log.info(
      { provider: 'Aldeamo', is_healthy: isHealthy },
      'the provider was checked, because an operator asked another replica for its recovery',
    );
  }

  async function read(): Promise<void> {
    const controls = await holds.read(store);
    if (!controls) return;
    const requested = controls.find(({ provider }) => provider === 'Aldeamo')?.recoveries ?? 0;
    const isNew = recoveries !== undefined && requested > recoveries;
    recoveries = requested;
    if (isNew) recover().catch((err: unknown) => log.error({ err }, 'the provider could not be checked'));
  }

  const logUnread = (err: unknown) => log.debug({ err }, 'the holds of the providers could not be read');
  const readSoon = () => void read().catch(logUnread);

  /** The change is recorded, so that a store which becomes unavailable now does not undo it. */
  async function follow(provider: Provider, hold: ProviderHold | null): Promise<void> {
    holds.put(provider, hold);
    onChange();
    await read().catch(logUnread);
  }

  readSoon();
  const timer = setInterval(readSoon, readEveryMs).unref();

  return {
    read,
    readSoon,
    async hold(provider, hold) {
      const isNew = await store.putHold(provider, hold);
      await follow(provider, isNew ? hold : { ...hold, since: holds.of(provider)?.since ?? hold.since });
      return isNew;
    },
    async release(provider) {
      const isReleased = await store.deleteHold(provider, new Date(holds.now()).toISOString());
      await follow(provider, null);
      return isReleased;
    },
    async requestRecovery() {
      recoveries = await store.requestRecovery('Aldeamo');
      onChange();
    },
    stop: () => clearInterval(timer),
  };
}
