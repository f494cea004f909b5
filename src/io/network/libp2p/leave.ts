import type { Connection, Stream } from '@libp2p/interface';
import {
  asyncScheduler,
  concat,
  defer,
  EMPTY,
  firstValueFrom,
  from,
  ignoreElements,
  type Observable,
  race,
  type SchedulerLike,
  take,
  takeWhile,
  timeout,
  timer,
} from 'rxjs';
import { encodeUint64 } from '../../../consensus/containers.ts';
import { encodeRequest } from '../reqresp/payload.ts';
import { GOODBYE_PROTOCOL } from '../reqresp/protocols.ts';
import { end } from './end.ts';

/**
 * The one way in which a connection is ended: what the peer has asked is answered first, then it is told goodbye if it gains by
 * it, then it has a moment to close, and then the transport is ended as a whole. Never by `close()`, which first ends the
 * streams one by one: a FIN in the middle of a negotiation tells Lighthouse that we do not speak Status, which is a ban
 * (multistream-select dialer_select.rs, `Failed`).
 */
export interface LeaveOptions {
  /** Asked when what the peer has asked is answered, and followed by the end: whether to stay after all, for somebody else. */
  readonly staysFor?: () => boolean;
  /** The Goodbye to say then; `null` for none. */
  readonly goodbye: () => bigint | null;
  /** Emits when the connection has ended from the other side. */
  readonly closed$: Observable<unknown>;
  /** Nothing was asked for so long, and nothing more will be: 250 ms by default, and at least so much. */
  readonly quietMs?: number;
  /** How long what the peer has asked may take. */
  readonly patienceMs?: number;
  /** How long all of it may take. */
  readonly limitMs?: number;
  readonly scheduler?: SchedulerLike;
  /** Told what did not go as it should; the connection ends all the same. */
  readonly onProblem?: (error: unknown) => void;
}

/** Whoever has just connected asks for our Status within a round trip or two. */
const QUIET_MS = 250;
const LOOK_MS = 50;
/**
 * What a peer has asked is answered within seconds, or nobody waits for it any more. Less than the ten seconds after which libp2p
 * resets a stream that is still being negotiated: over yamux that is a ban at Lighthouse, as a FIN is.
 */
const PATIENCE_MS = 5_000;
/** How long a Goodbye may take: one that is cut off is held against us. */
const GOODBYE_MS = 3_000;
/** So long for the peer to close, which it does as soon as it has read our Goodbye; over QUIC an end of ours would overtake that. */
const CLOSE_MS = 2_000;
/** Streams that stay open as long as the connection does, and that nobody waits for. */
const LASTING = /^\/(meshsub|floodsub)\//;

/** Resolves when the connection has ended, or stays. Never rejects. */
export async function leave(connection: Connection, options: LeaveOptions): Promise<void> {
  const { staysFor = () => false, goodbye, closed$, onProblem = () => {} } = options;
  const { patienceMs = PATIENCE_MS, quietMs = 0 } = options;
  const { scheduler = asyncScheduler, limitMs = patienceMs + GOODBYE_MS + CLOSE_MS } = options;
  let stays = false;
  const farewell$ = defer(() => {
    stays = staysFor();
    const reason = stays ? null : goodbye();
    return reason === null ? EMPTY : tell(connection, reason, closed$, scheduler);
  });
  const left$ = concat(
    quiet(connection, { quietMs: Math.max(QUIET_MS, quietMs), patienceMs }, scheduler),
    farewell$,
  ).pipe(ignoreElements());
  try {
    await firstValueFrom(race(left$, closed$, timer(limitMs, scheduler)), { defaultValue: undefined });
  } catch (error) {
    onProblem(error);
  }
  if (!stays) end(connection);
}

/** Completes when the peer has had nothing open for a moment, or when patience is at its end. */
function quiet(
  connection: Connection,
  { quietMs, patienceMs }: { readonly quietMs: number; readonly patienceMs: number },
  scheduler: SchedulerLike,
): Observable<unknown> {
  const startMs = scheduler.now();
  let busyMs = startMs;
  return timer(0, LOOK_MS, scheduler).pipe(
    takeWhile(() => {
      const nowMs = scheduler.now();
      if (connection.streams.some(isWaitedFor)) busyMs = nowMs;
      const isQuiet = nowMs - busyMs >= quietMs;
      return !isQuiet && nowMs - startMs < patienceMs;
    }),
  );
}

/** A stream of the peer's that is being negotiated, or whose request is not answered yet. */
function isWaitedFor({ direction, protocol, status }: Stream): boolean {
  return direction === 'inbound' && status === 'open' && !LASTING.test(protocol ?? '');
}

/** Says it, and waits for the peer to close. */
function tell(
  connection: Connection,
  goodbye: bigint,
  closed$: Observable<unknown>,
  scheduler: SchedulerLike,
): Observable<unknown> {
  const said$ = from(sayGoodbye(connection, goodbye)).pipe(timeout({ first: GOODBYE_MS, scheduler }), ignoreElements());
  return concat(said$, race(closed$, timer(CLOSE_MS, scheduler)).pipe(take(1)));
}

/** Clients differ in whether they answer a Goodbye, so no answer is waited for. */
async function sayGoodbye(connection: Connection, reason: bigint): Promise<void> {
  if (connection.status !== 'open') return;
  const signal = AbortSignal.timeout(GOODBYE_MS);
  const stream = await connection.newStream(GOODBYE_PROTOCOL, { signal });
  await stream.sink([encodeRequest(encodeUint64(reason))]);
  await stream.close({ signal });
}
