import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { defineConfig } from 'vitest/config';

const withoutDocker = reasonNotToUseDocker();
if (withoutDocker && process.env.REQUIRE_DOCKER === '1')
  throw new Error(`REQUIRE_DOCKER=1, but ${withoutDocker}`);

const system = {
  include: ['test/**/*.test.ts'],
  testTimeout: 60_000,
  hookTimeout: 180_000,
};

/** One file at a time, because each loads both cores or measures latencies. */
const ofLoad = [
  'test/alerts.test.ts',
  'test/backlog.test.ts',
  'test/chaos.test.ts',
  'test/replicas.test.ts',
  'test/rolling-upgrade.test.ts',
];

/** Tests of what a container adds: its image, its network, its signals or its volume. */
const ofContainers = [
  'test/failover.test.ts',
  'test/image.test.ts',
  'test/keys.test.ts',
  'test/procedures-of-containers.test.ts',
  'test/readme.test.ts',
  'test/replicas-of-containers.test.ts',
  'test/rolls-of-containers.test.ts',
  'test/stop.test.ts',
];

/** Tests of the images, of docker-compose.scale.yml and of the scripts of ops/, which only containers run. */
const ofContainersAlone = [
  'test/image.test.ts',
  'test/procedures-of-containers.test.ts',
  'test/replicas-of-containers.test.ts',
  'test/rolls-of-containers.test.ts',
];

/** For the processes and threads that the tests start: each would strip the types of the sources and compile them anew. */
const env = { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/services` };

const processes = {
  ...system,
  provide: { trio: 'processes' as const },
  globalSetup: 'test/compile-services.ts',
  env,
};

export default defineConfig({
  test: {
    reporters: [
      'default',
      {
        onTestRunEnd() {
          if (withoutDocker) process.stdout.write(`The containers project was skipped: ${withoutDocker}\n\n`);
        },
      },
    ],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['*/test/**/*.test.ts'],
          globalSetup: 'test/one-postgres.ts',
          env,
          // By default there is one worker on two cores.
          maxWorkers: '100%',
          // Without a process of its own for each file; the setup file holds what makes that safe.
          isolate: false,
          setupFiles: 'test/shared-process.ts',
        },
      },
      {
        test: {
          name: 'processes',
          ...processes,
          exclude: [...ofLoad, ...ofContainersAlone],
          // Two files at a time, because they wait for deadlines more than they compute.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'load',
          ...processes,
          include: ofLoad,
          maxWorkers: 1,
          // Of the concurrent tests of one file, because each has services of its own.
          maxConcurrency: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'containers',
          ...system,
          include: ofContainers,
          exclude: withoutDocker ? ['**'] : [],
          provide: { trio: 'containers' },
          // One trio at a time, because the containers of several would compete for the cores.
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
          // No reaper, because the tests remove their containers and it would be one more image to pull.
          env: { TESTCONTAINERS_RYUK_DISABLED: 'true' },
        },
      },
      {
        test: {
          name: 'parts',
          include: [],
          // Not named *.bench.ts, because the other projects would include it and start PostgreSQL for it.
          benchmark: { include: ['bench/parts.ts'] },
          // Node.js runs the modules itself, because Vite's module runner would be measured, too.
          experimental: { viteModuleRunner: false },
        },
      },
    ],
  },
});

function reasonNotToUseDocker(): string | undefined {
  try {
    execFileSync('docker', ['info'], { stdio: 'pipe', timeout: 10_000 });
    execFileSync('docker', ['compose', 'version'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr ?? error);
    return `no Docker Engine with Compose answers (${said.trim().split('\n').at(-1)})`;
  }
}
