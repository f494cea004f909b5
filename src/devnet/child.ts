import type { FromChild, ToChild } from './child-messages.ts';
import { type Devnet, startDevnet } from './devnet.ts';

/** The entry of a devnet in a process of its own; see `fork.ts`. */

// Control-C, a closed terminal and what stops a service reach the whole group: the parent decides what becomes of the
// devnet, by closing the channel, which its own end does as well.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.on(signal, () => undefined);

const { promise: disconnected, resolve: disconnect } = Promise.withResolvers<void>();
process.once('disconnect', disconnect);
process.once('message', (message: ToChild) => void run(message));

async function run({ options }: ToChild): Promise<void> {
  let devnet: Devnet;
  try {
    devnet = await startDevnet({
      ...options,
      onProblem: ({ peerId, during, error }) => tell({ kind: 'problem', peerId, during, reason: reasonOf(error) }),
    });
  } catch (error) {
    tell({ kind: 'failed', reason: reasonOf(error) });
    return;
  }
  const { network, networkPath, penaltiesPath } = devnet;
  tell({ kind: 'started', network, networkPath, penaltiesPath });
  await disconnected;
  await devnet.stop();
  // libp2p leaves timers of up to a second behind, for which nobody should wait.
  process.exit();
}

function tell(message: FromChild): void {
  if (!process.connected) return;
  // A parent that has just gone: without somebody to hear of it, that would end this process with a stack trace.
  process.send?.(message, undefined, {}, (error) => {
    if (error !== null) disconnect();
  });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
