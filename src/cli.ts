#!/usr/bin/env node
/** The command line: options, help and version. What the commands do is in `commands/`. */

const NEEDED_NODE_MAJOR = 24;

if (Number(process.versions.node.split('.')[0]) < NEEDED_NODE_MAJOR) {
  process.stderr.write(
    `valtrack needs Node ${NEEDED_NODE_MAJOR} or newer, this is ${process.versions.node}; run it with "npx valtrack" in its folder\n`,
  );
  process.exit(1);
}

const { main } = await import('./commands/main.ts');
// Libraries leave timers behind that would keep the process for seconds after everything is closed.
process.exit(await main(process.argv.slice(2)));

export {};
