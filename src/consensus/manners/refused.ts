import type { Client } from '../client.ts';
import { type Cause, type Failure, failure, type Stage } from '../failure.ts';

/** What is known of a peer whose visit has failed. */
export interface Refuser {
  readonly client: Client;
  /** Times that it was observed. */
  readonly observations: number;
  /** Visits that have failed in a row before this one. */
  readonly failures: number;
}

/** A connection that came about, up to the moment from which an answer is an answer. */
const ENDED_EARLY: ReadonlySet<Stage> = new Set(['security', 'mux', 'identify', 'status']);
const WITHOUT_A_WORD: ReadonlySet<Cause> = new Set(['eof', 'reset', 'mux_failed']);
/** Who is full has room again some time; who ends so many dials in a row does it because of us. */
const BANNED_AFTER = 2;

/**
 * Names what a peer means that was observed before and now ends a connection as soon as it knows who we are. Lighthouse and
 * Grandine close after noise when they are full and when they have banned us, without a Goodbye (network_behaviour.rs), and
 * before or in noise when they have banned our address (peerdb.rs); Prysm says Goodbye 3 while it
 * has (sync/rpc_status.go).
 */
export function refusedBy(failed: Failure, { client, observations, failures }: Refuser): Failure {
  const { stage, cause, detail } = failed;
  if (cause === 'fault' && client === 'Prysm') return failure(stage, 'banned', detail);
  if (observations === 0) return failed;
  const isTooMuch = failures >= BANNED_AFTER;
  if (ENDED_EARLY.has(stage) && WITHOUT_A_WORD.has(cause)) {
    return failure(stage, isTooMuch ? 'banned' : 'too_many_peers', detail);
  }
  return isTooMuch && isAtTheDoor(failed) ? failure(stage, 'banned', detail) : failed;
}

/** Somebody listens there, and does not let us in. */
function isAtTheDoor({ stage, cause }: Failure): boolean {
  return (stage === 'dial' && cause === 'reset') || (stage === 'security' && cause === 'noise_failed');
}
