import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

/** Files that change or measure the process they run in; all others share a few, which have loaded their modules once. */
const ALONE = [
  // Puts another module in the place of one that others use.
  'test/actors/registry-queue.test.ts',
  // Watch their own heap, handles and listeners.
  'test/e2e/faults.test.ts',
  'test/io/network/libp2p/host.test.ts',
];

export default defineConfig({
  test: {
    setupFiles: ['test/setup.ts'],
    // Programs that tests start need less time to load their modules.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url)) },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Half of the time a test waits for other processes, for sockets and for slots.
    maxWorkers: 2 * availableParallelism(),
    projects: [
      { extends: true, test: { name: 'alone', include: ALONE } },
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...ALONE],
          isolate: false,
        },
      },
    ],
  },
});
