import { createLogger } from 'service-kit/http/start.ts';
import { afterEach, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { startTcpProxy } from '../../../test/doubles/tcp-proxy.ts';
import { createDatabase } from '../../../test/postgres-server.ts';
import { replicaChannelOf } from '../../src/live/replica-channel.ts';
import { createReplicas, type OpenChannel, replicaSchema } from '../../src/live/replicas.ts';
import type { CircuitState, ProviderReport } from '../../src/providers/circuit-report.ts';
import { closedReport } from '../fixture.ts';

const log = createLogger({ level: 'silent' });

/** A channel between the replicas of a test. It records what they publish. */
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
  const deliver = (text: string) => {
    for (const listener of listeners) listener(text);
  };
  return { open, published, deliver };
}

function startReplica(name: string, openChannel?: OpenChannel) {
  const report = (state: CircuitState): ProviderReport => ({ ...closedReport, state });
  const circuits: Record<'Aldeamo' | 'Twilio', CircuitState> = { Aldeamo: 'closed', Twilio: 'closed' };
  const onPaymentChanged = vi.fn();
  const onControlsChanged = vi.fn();
  const replicas = createReplicas({
    name,
    notifier: {
      current: () => 'Aldeamo',
      report: () => ({ Aldeamo: report(circuits.Aldeamo), Twilio: report(circuits.Twilio) }),
    },
    openChannel,
    onPaymentChanged,
    onControlsChanged,
    log,
  });
  onTestFinished(() => replicas.close());
  const states = () => replicas.all().map(({ name, circuits }) => [name, circuits.Aldeamo.state]);
  return { ...replicas, circuits, onPaymentChanged, onControlsChanged, states };
}

describe('the replicas', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('given no channel, list only this one', () => {
    const only = startReplica('a');
    expect(only.states()).toEqual([['a', 'closed']]);
    expect(replicaSchema.strict().parse(only.all()[0])).toEqual(only.all()[0]);
  });

  test('list each other by name, each with its own circuits', async () => {
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

  test('publish many changes of payments as one message within half a second, and ignore their own', async () => {
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
    expect(published).toHaveLength(1); // because nothing has changed since
  });

  test('publish that an operator has ordered something, once, to the others alone', async () => {
    const { open, published } = memoryChannel();
    const [a, b] = [startReplica('a', open), startReplica('b', open)];
    await vi.advanceTimersByTimeAsync(500);
    published.length = 0;
    a.publishControls();
    await vi.advanceTimersByTimeAsync(1000);
    expect(b.onControlsChanged).toHaveBeenCalledTimes(1);
    expect([a.onControlsChanged, b.onPaymentChanged].flatMap(({ mock }) => mock.calls)).toEqual([]);
    expect(published).toHaveLength(1);
  });

  test('given a message of an earlier release, which knows no orders of operators, list its replica', async () => {
    const { open, published, deliver } = memoryChannel();
    const [a, b] = [startReplica('a', open), startReplica('b', open)];
    await vi.advanceTimersByTimeAsync(500);
    const { controls_changed: _, ...earlier } = JSON.parse(published[0] ?? '');
    deliver(JSON.stringify({ ...earlier, id: 'earlier', name: 'earlier' }));
    expect(b.states()).toContainEqual(['earlier', 'closed']);
    expect(a.onControlsChanged).not.toHaveBeenCalled();
  });

  test('publish a change of a circuit', async () => {
    const { open } = memoryChannel();
    const [a, b] = [startReplica('a', open), startReplica('b', open)];
    await vi.advanceTimersByTimeAsync(500);
    a.circuits.Aldeamo = 'half_open';
    await vi.advanceTimersByTimeAsync(500);
    expect(b.states()).toContainEqual(['a', 'half_open']);
  });

  test('given no message of a replica for 15 s, remove it', async () => {
    const { open } = memoryChannel();
    const [a, b] = [startReplica('a', open), startReplica('b', open)];
    await vi.advanceTimersByTimeAsync(30_000);
    expect(a.states()).toHaveLength(2);
    await b.close();
    await vi.advanceTimersByTimeAsync(15_001);
    expect(a.states()).toEqual([['a', 'closed']]);
  });

  test('given the same name, remain two', async () => {
    const { open } = memoryChannel();
    const [a] = [startReplica('a', open), startReplica('a', open)];
    await vi.advanceTimersByTimeAsync(500);
    expect(a.states()).toHaveLength(2);
  });

  test('given an invalid message, ignore it', async () => {
    const { open, deliver } = memoryChannel();
    const a = startReplica('a', open);
    for (const text of ['', 'null', '{}', '{"id":"x","name":1}']) deliver(text);
    expect(a.states()).toHaveLength(1);
  });
});

describe('the replica channel on PostgreSQL', () => {
  const connect = async (url: string, onMessage: (text: string) => void) =>
    ((await replicaChannelOf(url, log)) as OpenChannel)(onMessage);

  async function openChannel(url: string) {
    const received: string[] = [];
    const channel = await connect(url, (text) => void received.push(text));
    onTestFinished(() => channel.close());
    const waitUntilReceived = (text: string) =>
      vi.waitFor(
        async () => {
          await channel.publish(text);
          expect(received).toContain(text);
        },
        { timeout: 10_000, interval: 50 },
      );
    return { ...channel, received, waitUntilReceived };
  }

  test('delivers a message to all subscribers of its database, and to no others', async () => {
    const url = await createDatabase(inject('postgresPort'));
    const [a, b] = [await openChannel(url), await openChannel(url)];
    const elsewhere = await openChannel(await createDatabase(inject('postgresPort')));
    await Promise.all([a, b, elsewhere].map((channel, index) => channel.waitUntilReceived(`start-${index}`)));
    await a.publish('ñ "quoted" \\ \'');
    await vi.waitFor(() => expect(b.received).toContain('ñ "quoted" \\ \''));
    expect(a.received).toContain('ñ "quoted" \\ \'');
    expect(elsewhere.received).toEqual(['start-2']);
  });

  test('given a lost or a silent connection, reconnects', { timeout: 30_000 }, async () => {
    const url = new URL(await createDatabase(inject('postgresPort')));
    const proxy = await startTcpProxy(Number(url.port));
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    url.port = String(proxy.port);
    const channel = await openChannel(url.href);
    await channel.waitUntilReceived('before');
    proxy.cut();
    await channel.waitUntilReceived('after it was cut');
    proxy.stall();
    await expect(channel.publish('into the void')).rejects.toThrow();
    proxy.flow();
    await channel.waitUntilReceived('after it was silent');
  });

  test('closes right after it was opened, and while the server is silent', { timeout: 20_000 }, async () => {
    const url = new URL(await createDatabase(inject('postgresPort')));
    await (await connect(url.href, () => {})).close();
    const proxy = await startTcpProxy(Number(url.port));
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    url.port = String(proxy.port);
    const channel = await connect(url.href, (text) => text === 'there' && received.resolve());
    const received = Promise.withResolvers<void>();
    const publishing = setInterval(() => void channel.publish('there').catch(() => {}), 50);
    await received.promise;
    clearInterval(publishing);
    proxy.stall();
    await channel.close();
  });

  test('given no server, publishes without an error, and closes', async () => {
    const channel = await connect('postgres://127.0.0.1:1/none', () => {});
    await channel.publish('unreceived');
    await channel.close();
  });
});
