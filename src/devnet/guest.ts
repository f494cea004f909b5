import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '@libp2p/interface';
import { AsyncSubject, Subscription } from 'rxjs';
import type { Pace, Sighting } from './clients/rules.ts';
import type { ClientProfile } from './clients.ts';
import { attend } from './conduct.ts';
import type { Self } from './methods.ts';
import type { Random } from './random.ts';
import { type Requester, requesterOn } from './requester.ts';

/** One connection with a peer, as a node keeps it. */
export interface Guest {
  readonly peerId: string;
  readonly direction: 'inbound' | 'outbound';
  /** As Lighthouse has it: MetaData that names them, and for attestation subnets a subscription to anything. */
  readonly hasLongLivedSubnets: boolean;
  /** The reason of the Goodbye that the node has said, 0 when it has left without one. */
  saidGoodbye: number | null;
  /** The peer has opened a stream that is about to be served. */
  onRequest(): void;
  /** The node is about to end the connection. */
  onHangUp(): void;
  onPing(): void;
  onStatus(body: Uint8Array): Promise<void>;
  onSubscribed(): void;
  stop(): void;
}

export interface GuestOptions {
  readonly connection: Connection;
  readonly profile: ClientProfile;
  readonly pace: Pace;
  readonly self: Self;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly see: (sighting: Sighting) => void;
}

/** Begins to ask a peer what its client asks: at once whom it has dialled, patiently who has dialled it. */
export function guestOn(options: GuestOptions): Guest {
  const { connection, profile, pace, random, signal, see } = options;
  const { direction } = connection;
  const greeted = new AsyncSubject<void>();
  const pinged = new AsyncSubject<void>();
  const activity = new Subscription();
  const { promise: asked, resolve: onRequest } = Promise.withResolvers<void>();
  let named = { attestation: false, sync: false };
  let isSubscribed = false;
  let hasHungUp = false;

  const requester = requesterOn({
    ...options,
    hasHungUp: () => hasHungUp,
    onEnd: (asked, end) => see({ type: 'own-request', asked, end }),
    onIrrelevant: (reason) => see({ type: 'irrelevant', reason }),
    onSubnets: (subnets) => {
      named = subnets;
    },
  });
  const attendance = () =>
    activity.add(
      attend({ ...requester, greeted, pinged }, conductTowards(profile, direction)).subscribe(() =>
        see({ type: 'no-status' }),
      ),
    );

  if (direction === 'inbound') attendance();
  else {
    const isOver = () => signal.aborted || connection.status !== 'open';
    introduce(requester, pace, { asked, random, isOver }).then(
      () => !activity.closed && attendance(),
      () => undefined,
    );
  }

  return {
    peerId: connection.remotePeer.toString(),
    direction,
    get hasLongLivedSubnets() {
      return named.sync || (named.attestation && isSubscribed);
    },
    saidGoodbye: null,
    onRequest,
    onHangUp: () => {
      hasHungUp = true;
    },
    onPing: () => settle(pinged),
    onStatus: async (body) => {
      settle(greeted);
      await requester.weigh(body);
    },
    onSubscribed: () => {
      isSubscribed = true;
    },
    stop: () => activity.unsubscribe(),
  };
}

/**
 * The first requests to a peer that has been dialled, at the latest with the answer to its own first stream: a client
 * writes what is waiting when it writes at all.
 */
async function introduce(
  requester: Requester,
  { introduction: { asks, together }, introductionDelayMs }: Pace,
  { asked, random, isOver }: { readonly asked: Promise<void>; readonly random: Random; readonly isOver: () => boolean },
): Promise<void> {
  const methods = { status: requester.askStatus, metadata: requester.askMetaData, ping: requester.ping };
  await Promise.race([asked, delay(random() * introductionDelayMs)]);
  if (together) {
    await Promise.all(asks.map((name) => methods[name]()));
    return;
  }
  for (const name of asks) if (isOver() || !(await methods[name]())) return;
}

/** Lighthouse pings whom it has dialled after 15 s (`peer_manager/config.rs`), the others make no difference. */
const PING_INTERVAL_OUTBOUND_MS = 15_000;

function conductTowards({ conduct }: ClientProfile, direction: 'inbound' | 'outbound'): ClientProfile['conduct'] {
  if (direction === 'inbound') return { ...conduct, toleratedFailures: Number.POSITIVE_INFINITY };
  return {
    ...conduct,
    statusDeadlineMs: null,
    asksStatusAfterMs: null,
    asksMetaData: 'after ping',
    pingsAfterStatus: false,
    pingIntervalMs: Math.min(conduct.pingIntervalMs, PING_INTERVAL_OUTBOUND_MS),
    toleratedFailures: Number.POSITIVE_INFINITY,
  };
}

function settle(subject: AsyncSubject<void>): void {
  subject.next();
  subject.complete();
}
