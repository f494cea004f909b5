import type { Discv5 } from '@chainsafe/discv5';
import type { ENR } from '@chainsafe/enr';

/** Whom a node hears of in discv5 that is not one of the devnet's own, which have nothing to say to one another. */
export interface Strangers {
  /** The newest record of each that may be dialled. */
  known(): readonly ENR[];
  /** Asks the next neighbour for some of its table. */
  look(): Promise<void>;
  forget(record: ENR): void;
}

export interface StrangersOptions {
  readonly discovery: Discv5;
  /** Whether a node id is that of nobody in this devnet. */
  readonly isStranger: (nodeId: string) => boolean;
  /** Whether a record is one that the client would dial. */
  readonly suits: (record: ENR) => boolean;
}

/** Asked in turn, as an answer has 16 records at most: half of all nodes are at distance 256, a quarter at 255. */
const DISTANCES = [[256], [255], [256], [254, 253, 252, 251, 250]] as const;

export function strangersIn({ discovery, isStranger, suits }: StrangersOptions): Strangers {
  const told = new Map<string, ENR>();
  let asked = 0;

  const take = (record: ENR) => {
    if (!isStranger(record.nodeId)) return;
    const before = told.get(record.nodeId);
    if (before === undefined || before.seq < record.seq) told.set(record.nodeId, record);
  };
  return {
    known: () => {
      for (const record of discovery.kadValues()) take(record);
      return [...told.values()].filter(suits);
    },
    look: async () => {
      const neighbours = discovery.kadValues().filter((record) => record.udp !== undefined);
      const neighbour = neighbours[asked % neighbours.length];
      if (neighbour === undefined) return;
      // One further on each time around, lest a neighbour be asked the same question for ever.
      const distances = DISTANCES[(asked + Math.floor(asked / neighbours.length)) % DISTANCES.length] ?? DISTANCES[0];
      asked += 1;
      for (const record of await discovery.sendFindNode(neighbour, [...distances])) take(record);
    },
    forget: (record) => void told.delete(record.nodeId),
  };
}

/** The fork digest of a record's `eth2`, 4 bytes of hex; empty without one. */
export function digestOf(record: ENR): string {
  return Buffer.from(record.kvs.get('eth2') ?? []).toString('hex', 0, 4);
}

/** The next fork version of a record's `eth2`, 4 bytes of hex; empty without one. */
export function nextForkVersionOf(record: ENR): string {
  return Buffer.from(record.kvs.get('eth2') ?? []).toString('hex', 4, 8);
}
