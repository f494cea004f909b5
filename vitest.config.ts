import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Most of the time a test waits: for other processes, for sockets, for a slot to begin. */
const WORKERS = 2 * availableParallelism();

/** Files that have a process each. */
const ALONE = [
  // Watch in real time what nodes do in each epoch, or servers that elect one of them: they wait more than they compute.
  'test/e2e/faults.test.ts',
  'test/e2e/same-seed.test.ts',
  'test/e2e/rollover.test.ts',
  'test/e2e/unknown-fork.test.ts',
  // Wait for whole seconds of manners.
  'test/io/network/libp2p/leaving.test.ts',
  'test/programs/sentry/inbound-manners.test.ts',
  'test/io/event-log/nats/cluster.test.ts',
  'test/programs/sentry/restarts.test.ts',
  // Counts what its process holds.
  'test/io/network/libp2p/host.test.ts',
  // Puts another module in the place of one that others use.
  'test/actors/registry-queue.test.ts',
];

/** The longest of the others: what starts late and takes long is waited for with nothing beside it. */
const LONG = [
  'test/e2e/shutdown.test.ts',
  'test/e2e/run.test.ts',
  'test/io/event-log/nats/lease.test.ts',
  'test/e2e/folder-in-use.test.ts',
  'test/e2e/spool.test.ts',
  'test/programs/consumer/consumer-faults.test.ts',
  'test/e2e/locations.test.ts',
  'test/e2e/terminal.test.ts',
  'test/io/storage/parquet/upkeep.test.ts',
  'test/devnet/reach.test.ts',
  'test/e2e/restart.test.ts',
  'test/e2e/replay.test.ts',
  'test/io/network/libp2p/forgetful-store.test.ts',
  'test/io/event-log/nats/stuck.test.ts',
  'test/e2e/restored-copy.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const order = [...ALONE, ...LONG];
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = order.findIndex((path) => moduleId.endsWith(path));
      return place === -1 ? order.length : place;
    };
    return (await super.sort(files)).toSorted((one, other) => placeOf(one) - placeOf(other));
  }
}

export default defineConfig({
  test: {
    setupFiles: ['test/setup.ts'],
    // Programs that tests start need less time to load their modules.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url)) },
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'alone', include: ALONE, maxWorkers: WORKERS },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...ALONE],
          // A process that has loaded the modules for one file has them for the next.
          isolate: false,
          setupFiles: ['test/yielding.ts'],
          maxWorkers: WORKERS,
        },
      },
    ],
  },
});
