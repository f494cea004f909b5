import type { Discv5 } from '@chainsafe/discv5';
import type { ENR } from '@chainsafe/enr';
import type { Libp2p } from '@libp2p/interface';
import { catchError, EMPTY, exhaustMap, from, interval, type Subscription } from 'rxjs';

/** How a node behind a router takes part: nobody can dial it, so it looks for peers and dials them. */

export interface SeekerOptions {
  readonly discovery: Discv5;
  readonly libp2p: Libp2p;
  readonly epoch: () => number;
  /** Nodes of a devnet have nothing to say to one another: only others are dialled. */
  readonly isStranger: (nodeId: string) => boolean;
  /** The fork digest that a peer's record must have, in hex. */
  readonly forkDigest: () => string;
  readonly onFailure: (during: string, error: unknown) => void;
}

const STEP_MS = 1_000;
/** Asked in turn, as an answer has 16 records at most: half of all nodes are at distance 256, a quarter at 255. */
const DISTANCES = [[256], [255], [256], [254, 253, 252, 251, 250]] as const;

/**
 * Looks for a stranger in the tables of the nodes it knows, one after another, until it has found one; then dials it
 * once an epoch, unless they are connected. At most one connection at a time.
 */
export function seekPeers(options: SeekerOptions): Subscription {
  const { discovery, libp2p, epoch, onFailure } = options;
  const strangers = new Map<string, ENR>();
  let asked = 0;
  let dialledEpoch = Number.NEGATIVE_INFINITY;

  const look = async () => {
    const known = discovery.kadValues().filter((record) => record.udp !== undefined);
    const neighbour = known[asked % known.length];
    if (neighbour === undefined) return;
    // One further on each time around, lest a neighbour be asked the same question for ever.
    const distances = DISTANCES[(asked + Math.floor(asked / known.length)) % DISTANCES.length] ?? DISTANCES[0];
    asked += 1;
    for (const record of await discovery.sendFindNode(neighbour, [...distances])) {
      if (isDialable(record, options)) strangers.set(record.nodeId, record);
    }
  };
  const dial = async (record: ENR) => {
    dialledEpoch = epoch();
    const address = record.getLocationMultiaddr('tcp4');
    try {
      if (address !== undefined) await libp2p.dial(address.encapsulate(`/p2p/${record.peerId}`));
    } catch (error) {
      strangers.delete(record.nodeId);
      dialledEpoch = Number.NEGATIVE_INFINITY;
      throw error;
    }
  };
  const step = async () => {
    const [stranger] = strangers.values();
    if (libp2p.getConnections().length > 0 || dialledEpoch === epoch()) return;
    if (stranger === undefined) await look();
    else await dial(stranger);
  };

  return interval(STEP_MS)
    .pipe(
      exhaustMap(() =>
        from(step()).pipe(
          catchError((error: unknown) => {
            onFailure('looking for peers', error);
            return EMPTY;
          }),
        ),
      ),
    )
    .subscribe();
}

function isDialable(record: ENR, { isStranger, forkDigest }: SeekerOptions): boolean {
  const digest = Buffer.from(record.kvs.get('eth2') ?? []).toString('hex', 0, 4);
  return isStranger(record.nodeId) && digest === forkDigest() && record.getLocationMultiaddr('tcp4') !== undefined;
}
