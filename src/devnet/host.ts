import type { Discv5 } from '@chainsafe/discv5';
import type { SignableENR } from '@chainsafe/enr';
import type { AddressBlock } from './addresses.ts';
import { createDiscovery } from './discovery.ts';
import type { Endpoints } from './endpoints.ts';
import { answerWithGhosts } from './ghosts.ts';
import { type Libp2pHost, startLibp2p } from './libp2p.ts';
import { isRaw, startRawListener } from './raw-listener.ts';
import type { NodeTruth } from './truth.ts';

/** The network stacks of a node, running: discv5 on UDP, and libp2p unless its fault is to have none. */
export interface Host {
  readonly discovery: Discv5;
  readonly libp2p: Libp2pHost | null;
  stop(): Promise<void>;
}

export interface HostParts {
  readonly truth: NodeTruth;
  readonly record: SignableENR;
  readonly endpoints: Endpoints;
  readonly block: AddressBlock;
}

/** Starts both stacks where the endpoints say; what has been started is stopped if the rest does not start. */
export async function startHost({ truth, record, endpoints, block }: HostParts): Promise<Host> {
  const started = new AsyncDisposableStack();
  try {
    const discovery = createDiscovery(truth, record, endpoints);
    if (truth.behaviour === 'million-records') answerWithGhosts(discovery, block);
    await discovery.start();
    started.defer(() => discovery.stop());

    let libp2p: Libp2pHost | null = null;
    if (isRaw(truth.behaviour)) {
      started.defer(await startRawListener(truth.behaviour, { host: block.host(truth.index), port: block.port }));
    } else {
      libp2p = await startLibp2p(truth, endpoints);
      const node = libp2p.libp2p;
      started.defer(async () => void (await node.stop()));
    }
    return { discovery, libp2p, stop: () => started.disposeAsync() };
  } catch (error) {
    await started.disposeAsync();
    throw error;
  }
}
