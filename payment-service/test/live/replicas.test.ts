import { createLogger } from 'service-kit/http/start.ts';
import { afterEach, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { startTcpProxy } from '../../../test/doubles/tcp-proxy.ts';
import { createDatabase } from '../../../test/postgres-server.ts';
import { replicaChannelOf } from '../../src/live/replica-channel.ts';
import { createReplicas, type OpenChannel, replicaSchema } from '../../src/live/replicas.ts';
import type { CircuitState, ProviderReport } from '../../src/providers/circuit-report.ts';

const log = createLogger({ level: 'silent' });

/** A channel between the replicas of a test, and all that went over it. */
function memoryChannel() {
  const listeners = new Set<(text: string) => void>();
  const published: string[] = [];
  const open: OpenChannel = (onMessage) => {
    listeners.add(onMessage);
    return {
      async publish(text) {
        published.push(text);
        for (const listener of listeners) listener(text);
      },
      close: async () => void listeners.delete(onMessage),
    };
  };
  const say = (text: string) => {
    for (const listener of listeners) listener(text);
  };
  return { open, published, say };
}

function startReplica(name: string, openChannel?: OpenChannel) {
  const report = (state: CircuitState): ProviderReport => ({
    state,
    since: '2026-01-01T00:00:00.000Z',
    reason: 'start',
    consecutive_failures: 0,
    calls: 0,
    failures: 0,
    next_probe_at: null,
    throttled_until: null,
  });
  const circuits: Record<'Aldeamo' | 'Twilio', CircuitState> = { Aldeamo: 'closed', Twilio: 'closed' };
  const onPaymentChanged = vi.fn();
  const replicas = createReplicas({
    name,
    notifier: {
      current: () => 'Aldeamo',
      report: () => ({ Aldeamo: report(circuits.Aldeamo), Twilio: report(circuits.Twilio) }),
    },
    openChannel,
    onPaymentChanged,
    log,
  });
  onTestFinished(() => replicas.close());
  const states = () => replicas.all().map(({ name, circuits }) => [name, circuits.Aldeamo.state]);
  return { ...replicas, circuits, onPaymentChanged, states };
}

describe('the replicas', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('are one where there is no channel', () => {
    const only = startReplica('a');
    expect(only.states()).toEqual([['a', 'closed']]);
    expect(replicaSchema.strict().parse(only.all()[0])).toEqual(only.all()[0]);
  });

  test('know each other by name, each with circuits of its own', async () => {
    const { open } = memoryChannel();
    const [b, a] = [startReplica('b', open), startReplica('a', open)];
    b.circuits.Aldeamo = 'open';
    await vi.advanceTimersByTimeAsync(500);
    for (const replica of [a, b])
      expect(replica.states()).toEqual([
        ['a', 'closed'],
        ['b', 'open'],
      ]);
  });

  test('say within half a second that a payment has changed, once for many, and not to themselves', async () => {
    const { open, published } = memoryChannel();
    const [a, b] = [startReplica('a', open), startReplica('b', open)];
    await vi.advanceTimersByTimeAsync(500);
    published.length = 0;
    for (let count = 0; count < 100; count += 1) a.publishChange();
    await vi.advanceTimersByTimeAsync(500);
    expect(b.onPaymentChanged).toHaveBeenCalledTimes(1);
    expect(a.onPaymentChanged).not.toHaveBeenCalled();
    expect(published).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(4000);
    expect(published).toHaveLength(1); // and nothing as long as there is nothing to say
  });

  test('say that a circuit has changed', async () => {
    const { open } = memoryChannel();
    const [a, b] = [startReplica('a', open), startReplica('b', open)];
    await vi.advanceTimersByTimeAsync(500);
    a.circuits.Aldeamo = 'half_open';
    await vi.advanceTimersByTimeAsync(500);
    expect(b.states()).toContainEqual(['a', 'half_open']);
  });

  test('that are not heard of for 15 s are gone', async () => {
    const { open } = memoryChannel();
    const [a, b] = [startReplica('a', open), startReplica('b', open)];
    await vi.advanceTimersByTimeAsync(30_000);
    expect(a.states()).toHaveLength(2);
    await b.close();
    await vi.advanceTimersByTimeAsync(15_001);
    expect(a.states()).toEqual([['a', 'closed']]);
  });

  test('of the same name are two', async () => {
    const { open } = memoryChannel();
    const [a] = [startReplica('a', open), startReplica('a', open)];
    await vi.advanceTimersByTimeAsync(500);
    expect(a.states()).toHaveLength(2);
  });

  test('leave alone what they can not read', async () => {
    const { open, say } = memoryChannel();
    const a = startReplica('a', open);
    for (const text of ['', 'null', '{}', '{"id":"x","name":1}']) say(text);
    expect(a.states()).toHaveLength(1);
  });
});

describe('over PostgreSQL', () => {
  const connect = async (url: string, onMessage: (text: string) => void) =>
    ((await replicaChannelOf(url, log)) as OpenChannel)(onMessage);

  async function openChannel(url: string) {
    const heard: string[] = [];
    const channel = await connect(url, (text) => void heard.push(text));
    onTestFinished(() => channel.close());
    const canBeHeard = (text: string) =>
      vi.waitFor(
        async () => {
          await channel.publish(text);
          expect(heard).toContain(text);
        },
        { timeout: 10_000, interval: 50 },
      );
    return { ...channel, heard, canBeHeard };
  }

  test('what one says all hear, in this database alone', async () => {
    const url = await createDatabase(inject('postgresPort'));
    const [a, b] = [await openChannel(url), await openChannel(url)];
    const elsewhere = await openChannel(await createDatabase(inject('postgresPort')));
    await Promise.all([a, b, elsewhere].map((channel, index) => channel.canBeHeard(`start-${index}`)));
    await a.publish('ñ "quoted" \\ \'');
    await vi.waitFor(() => expect(b.heard).toContain('ñ "quoted" \\ \''));
    expect(a.heard).toContain('ñ "quoted" \\ \'');
    expect(elsewhere.heard).toEqual(['start-2']);
  });

  test('a connection that is lost, or no longer answers, is made again', { timeout: 30_000 }, async () => {
    const url = new URL(await createDatabase(inject('postgresPort')));
    const proxy = await startTcpProxy(Number(url.port));
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    url.port = String(proxy.port);
    const channel = await openChannel(url.href);
    await channel.canBeHeard('before');
    proxy.cut();
    await channel.canBeHeard('after it was cut');
    proxy.stall();
    await expect(channel.publish('into the void')).rejects.toThrow();
    proxy.flow();
    await channel.canBeHeard('after it was silent');
  });

  test('it can be closed at once, and where the server is silent', { timeout: 20_000 }, async () => {
    const url = new URL(await createDatabase(inject('postgresPort')));
    await (await connect(url.href, () => {})).close();
    const proxy = await startTcpProxy(Number(url.port));
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    url.port = String(proxy.port);
    const channel = await connect(url.href, (text) => text === 'there' && heard.resolve());
    const heard = Promise.withResolvers<void>();
    const saying = setInterval(() => void channel.publish('there').catch(() => {}), 50);
    await heard.promise;
    clearInterval(saying);
    proxy.stall();
    await channel.close();
  });

  test('nobody is there: nothing is thrown, and it can be closed', async () => {
    const channel = await connect('postgres://127.0.0.1:1/none', () => {});
    await channel.publish('to nobody');
    await channel.close();
  });
});
