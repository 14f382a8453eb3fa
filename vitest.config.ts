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

/** They are about a process, its disk and its load: a container adds nothing to that but time. */
const ofProcessesAlone = [
  'test/backlog.test.ts',
  'test/chaos.test.ts',
  'test/disk.test.ts',
  'test/hostile-clients.test.ts',
  'test/live-page.test.ts',
  'test/live.test.ts',
  'test/metrics.test.ts',
  'test/replicas.test.ts',
  'test/rooms.test.ts',
];

/** They are about docker-compose.scale.yml. */
const ofContainersAlone = ['test/replicas-of-containers.test.ts'];

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
          ...system,
          exclude: ofContainersAlone,
          provide: { trio: 'processes' },
          // One after the other: some of them are about load, and each has three services to run.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'containers',
          ...system,
          exclude: withoutDocker ? ['**'] : ofProcessesAlone,
          provide: { trio: 'containers' },
          // One trio at a time: the containers of several would only wait for each other.
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
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
