import type { Discv5 } from '@chainsafe/discv5';
import type { ENR } from '@chainsafe/enr';
import type { Libp2p } from '@libp2p/interface';
import { catchError, EMPTY, exhaustMap, from, interval, type Subscription } from 'rxjs';
import { digestOf, strangersIn } from './strangers.ts';

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

/**
 * Looks for a stranger in the tables of the nodes it knows, one after another, until it has found one; then dials it
 * once an epoch, unless they are connected. At most one connection at a time.
 */
export function seekPeers(options: SeekerOptions): Subscription {
  const { libp2p, epoch, forkDigest, onFailure } = options;
  const suits = (record: ENR) => digestOf(record) === forkDigest() && addressOf(record) !== undefined;
  const strangers = strangersIn({ ...options, suits });
  let dialledEpoch = Number.NEGATIVE_INFINITY;

  const dial = async (record: ENR) => {
    dialledEpoch = epoch();
    try {
      const address = addressOf(record);
      if (address !== undefined) await libp2p.dial(address.encapsulate(`/p2p/${record.peerId}`));
    } catch (error) {
      strangers.forget(record);
      dialledEpoch = Number.NEGATIVE_INFINITY;
      throw error;
    }
  };
  const step = async () => {
    const [stranger] = strangers.known();
    if (libp2p.getConnections().length > 0 || dialledEpoch === epoch()) return;
    if (stranger === undefined) await strangers.look();
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

function addressOf(record: ENR) {
  return record.getLocationMultiaddr('tcp4');
}
