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

/** One file at a time, since each loads both cores or measures latencies. */
const ofLoad = ['test/backlog.test.ts', 'test/chaos.test.ts', 'test/replicas.test.ts'];

/** Here a container makes a difference: its image, its network, its signals, its volume. */
const ofContainers = [
  'test/failover.test.ts',
  'test/keys.test.ts',
  'test/readme.test.ts',
  'test/replicas-of-containers.test.ts',
  'test/stop.test.ts',
];

/** About docker-compose.scale.yml. */
const ofContainersAlone = ['test/replicas-of-containers.test.ts'];

const processes = {
  ...system,
  provide: { trio: 'processes' as const },
  globalSetup: 'test/compile-services.ts',
  env: { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/services` },
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
        },
      },
      {
        test: {
          name: 'processes',
          ...processes,
          exclude: [...ofLoad, ...ofContainersAlone],
          // Two files at a time: they wait for deadlines more than they compute.
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
          // One trio at a time: the containers of several would only wait for each other.
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
          // The tests take their containers down themselves; the reaper would be one more image to pull.
          env: { TESTCONTAINERS_RYUK_DISABLED: 'true' },
        },
      },
      {
        test: {
          name: 'parts',
          include: [],
          // Not by a name that the other projects would take for a benchmark of theirs, and bring up PostgreSQL for.
          benchmark: { include: ['bench/parts.ts'] },
          // The modules as Node.js runs them: what Vite puts between them would be measured, too.
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
