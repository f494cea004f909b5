import { join } from 'node:path';
import { slotAt, slots } from './clock.ts';
import type { DevnetPlan, RunningNodes } from './devnet-nodes.ts';
import { acquaintances } from './neighbours.ts';
import { type DevnetFile, describeNetwork, writeNetworkFile } from './network-file.ts';
import type { SimulatedNode } from './node.ts';
import type { Problem } from './peers.ts';

export interface PublishedTruth {
  /** What the file says at this moment. */
  readonly network: DevnetFile;
  readonly path: string;
}

export interface PublishOptions extends DevnetPlan, RunningNodes {
  readonly dir: string;
  readonly onProblem: (problem: Problem) => void;
}

/** Moves the nodes from slot to slot, makes them known to each other, and keeps `network.json` true. */
export async function publishTruth(options: PublishOptions, started: AsyncDisposableStack): Promise<PublishedTruth> {
  const { dir, clock, nodes, truths, seed, onProblem } = options;
  const path = join(dir, 'network.json');
  const neighbours = acquaintances(truths, seed);
  const introduce = (newcomers: ReadonlySet<SimulatedNode>) => {
    for (const [index, known] of neighbours.entries()) {
      for (const other of known.map((neighbour) => nodes[neighbour])) {
        if (other !== undefined && newcomers.has(other)) nodes[index]?.meet(other.record());
      }
    }
  };
  introduce(new Set(nodes));

  const firstSlot = slotAt(clock, Date.now());
  for (const node of nodes) node.advance(firstSlot);
  let network = describeNetwork(options);
  await writeNetworkFile(path, network);

  let lastWrite: Promise<void> = Promise.resolve();
  started.defer(() => lastWrite);
  const ticking = slots(clock).subscribe((slot) => {
    const changed = nodes.filter((node) => node.advance(slot));
    if (changed.length === 0) return;
    introduce(new Set(changed));
    network = describeNetwork(options);
    lastWrite = lastWrite
      .then(() => writeNetworkFile(path, network))
      .catch((error: unknown) => onProblem({ peerId: '', during: `writing ${path}`, error }));
  });
  started.defer(() => ticking.unsubscribe());
  return {
    get network() {
      return network;
    },
    path,
  };
}
