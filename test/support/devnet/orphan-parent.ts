import { forkDevnet } from '../../../src/devnet/fork.ts';

/** Starts a devnet in a process of its own and tells where it is; ends only by being killed. */
const devnet = await forkDevnet({ nodes: 2, seed: 1, slotMs: 250, dir: process.argv[2] ?? '' });
process.stdout.write(`${devnet.network.nodes[0]?.multiaddrs[0]}\n`);
