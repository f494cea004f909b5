import { NEVER } from 'rxjs';
import { startDevnet } from '../devnet/devnet.ts';
import { devnetFolder } from '../programs/network/open-network.ts';
import { devnetChoice } from './network-option.ts';
import type { Options } from './options.ts';
import { type Running, type Session, untilStopped } from './until-stopped.ts';

/** `devnet`: simulated beacon nodes until stopped; one JSON line on standard output when they are ready. */
export function devnet(options: Options): Promise<number> {
  return untilStopped({ ...options, forMs: undefined }, (session) => start(options, session));
}

async function start(options: Options, { screen: { logger }, stack }: Session): Promise<Running> {
  const { activeValidators } = options;
  const { dir, ...choice } = devnetChoice(options);
  const folder = await devnetFolder(dir);
  stack.defer(folder.remove);
  const running = await startDevnet({
    ...choice,
    dir: folder.path,
    ...(activeValidators === undefined ? {} : { activeValidators }),
    onProblem: (problem) => logger.debug(problem, 'trouble with a peer'),
  });
  stack.defer(() => running.stop());
  const { network, networkPath } = running;
  const ready = { ready: true, network: networkPath, nodes: network.nodes.length, bootnodes: network.bootnodes };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  return { failed$: NEVER, finish: async () => null };
}
