import type { SchedulerLike } from 'rxjs';
import { canDial, needNotDial } from '../../actors/can-dial.ts';
import type { Registry } from '../../actors/registry.ts';
import type { Cause } from '../../consensus/failure.ts';
import type { Leaving } from '../../consensus/manners/goodbye.ts';
import type { PeerLink } from '../ports/peer-link.ts';
import type { VisitTally } from '../visit-tally.ts';
import { ANSWERED_MS, type Patience } from './patience.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** Which connections of peers that dial us are kept, and how long the others are answered. */
export interface Keeping {
  /** Keeps whom we cannot dial, and holds the others until they have been answered; leaves who finds no room. */
  wait(link: PeerLink): void;
  /** Leaves a connection on which nothing was said of topics: as long as it lasts, a hello that went astray is not said again. */
  part(link: PeerLink): void;
  /** Leaves those that have waited long enough. */
  letGo(): void;
  /** Whether we have to do with the peer. */
  isWelcome(link: PeerLink): boolean;
}

export interface KeepingOptions {
  readonly registry: Pick<Registry, 'get'>;
  readonly room: WaitingRoom;
  readonly patience: Patience;
  readonly tally: Pick<VisitTally, 'turnedAway'>;
  readonly scheduler: Pick<SchedulerLike, 'now'>;
  /** Whether its operator asked us to leave the peer alone. */
  readonly declines: (peerId: string, address: string) => boolean;
}

/** Of another network, or to be left alone by a record that was found only in a visit. */
const UNWELCOME: ReadonlySet<Cause | undefined> = new Set<Cause>(['wrong_fork', 'gated']);

export function createKeeping({ registry, room, patience, tally, scheduler, declines }: KeepingOptions): Keeping {
  function isWelcome({ peerId, address }: PeerLink): boolean {
    return !declines(peerId, address) && !UNWELCOME.has(registry.get(peerId)?.lastFailure?.cause);
  }

  function leave(link: PeerLink, leaving: Leaving = 'declined'): void {
    const { peerId, address } = link;
    // Nor need somebody come again who asked to be left alone.
    link.leave(leaving, { isDialable: declines(peerId, address) || needNotDial(registry.get(peerId)) });
  }

  function hold(link: PeerLink): void {
    const { peerId } = link;
    const nowMs = scheduler.now();
    if (room.hold(link, nowMs + patience.holdMs(peerId, nowMs))) return;
    tally.turnedAway(link.client(), 'no-room');
    leave(link);
  }

  function wait(link: PeerLink): void {
    const { peerId, address } = link;
    const mayStay = !declines(peerId, address) && !canDial(registry.get(peerId));
    if (!mayStay || !room.keep(link, scheduler.now() + ANSWERED_MS)) hold(link);
  }

  return {
    isWelcome,
    wait,
    part: (link) => leave(link, 'unheard'),
    letGo() {
      for (const link of room.takeOverdue(scheduler.now())) leave(link);
      // What makes somebody unwelcome is known when its visit has ended, and it is kept by then.
      for (const link of room.kept()) if (!isWelcome(link)) hold(link);
    },
  };
}
