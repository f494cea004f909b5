import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

const CORES = availableParallelism();

/** Files that have a process each, and start first, with little beside them. */
const ALONE = [
  // Watch in real time what nodes do in each epoch, or servers that elect one of them: they wait more than they compute.
  'test/e2e/faults.test.ts',
  'test/e2e/rollover.test.ts',
  'test/e2e/same-seed.test.ts',
  'test/e2e/terminal.test.ts',
  'test/io/event-log/nats/cluster.test.ts',
  'test/programs/sentry/restarts.test.ts',
  // Counts what its process holds.
  'test/io/network/libp2p/host.test.ts',
  // Puts another module in the place of one that others use.
  'test/actors/registry-queue.test.ts',
];

export default defineConfig({
  test: {
    setupFiles: ['test/setup.ts'],
    // Programs that tests start need less time to load their modules.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url)) },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'alone', include: ALONE, maxWorkers: CORES + 1, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...ALONE],
          // A process that has loaded the modules for one file has them for the next.
          isolate: false,
          // Most of the time a test waits: for other processes, for sockets, for a slot to begin.
          maxWorkers: 2 * CORES,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
