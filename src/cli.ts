#!/usr/bin/env node
/** The command line: options, help and version. What the commands do is in `commands/`. */

import { holdSignals } from './commands/stop-signals.ts';

const releaseSignals = holdSignals();

const NEEDED_NODE_MAJOR = 24;

if (Number(process.versions.node.split('.')[0]) < NEEDED_NODE_MAJOR) {
  process.stderr.write(
    `valtrack needs Node ${NEEDED_NODE_MAJOR} or newer, this is ${process.versions.node}; run it with "npx valtrack" in its folder\n`,
  );
  process.exit(1);
}

/** Who read our output may leave, the terminal included: that is no failure, there is only nobody to tell. */
const NOBODY_READS = new Set(['EPIPE', 'EIO']);
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (!NOBODY_READS.has(error.code ?? '')) throw error;
  });
}

const { main } = await import('./commands/main.ts');
// Libraries leave timers behind that would keep the process for seconds after everything is closed.
process.exit(await main(process.argv.slice(2), { onStarted: releaseSignals }));
