import { NEVER } from 'rxjs';
import { startDevnet } from '../devnet/devnet.ts';
import { devnetFolder, devnetKinds } from './choose-network.ts';
import type { Options } from './options.ts';
import { type Running, type Session, untilStopped } from './until-stopped.ts';

/** `devnet`: simulated beacon nodes until stopped; one JSON line on standard output when they are ready. */
export function devnet(options: Options): Promise<number> {
  return untilStopped({ ...options, forMs: undefined }, (session) => start(options, session));
}

async function start(options: Options, { screen: { logger }, stack }: Session): Promise<Running> {
  const { activeValidators, nodes, seed, slotMs } = options;
  const running = await startDevnet({
    nodes,
    seed,
    slotMs,
    dir: await devnetFolder(options.dir, stack),
    ...(activeValidators === undefined ? {} : { activeValidators }),
    ...devnetKinds(options),
    onProblem: (problem) => logger.debug(problem, 'trouble with a peer'),
  });
  stack.defer(() => running.stop());
  const { network, networkPath } = running;
  const ready = { ready: true, network: networkPath, nodes: network.nodes.length, bootnodes: network.bootnodes };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  return { failed$: NEVER, finish: async () => null };
}
