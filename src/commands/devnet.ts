import { firstValueFrom } from 'rxjs';
import { startDevnet } from '../devnet/devnet.ts';
import { temporaryFolder } from './choose-network.ts';
import type { Options } from './options.ts';
import { openScreen } from './screen.ts';
import { forceOnNextSignal, stopRequested } from './stopping.ts';

/** `devnet`: simulated beacon nodes until stopped; one JSON line on standard output when they are ready. */
export async function devnet(options: Options): Promise<number> {
  const { logger } = openScreen(options);
  const stopping = firstValueFrom(stopRequested(undefined));
  await using stack = new AsyncDisposableStack();
  const dir = options.dir ?? (await temporaryFolder(stack));
  const { activeValidators, nodes, seed, slotMs } = options;
  const running = await startDevnet({
    nodes,
    seed,
    slotMs,
    dir,
    ...(activeValidators === undefined ? {} : { activeValidators }),
    onProblem: (problem) => logger.debug(problem, 'trouble with a peer'),
  });
  stack.defer(() => running.stop());
  const { network, networkPath } = running;
  process.stdout.write(
    `${JSON.stringify({ ready: true, network: networkPath, nodes: network.nodes.length, bootnodes: network.bootnodes })}\n`,
  );
  const reason = await stopping;
  forceOnNextSignal();
  logger.info({ reason }, 'stopping');
  return 0;
}
