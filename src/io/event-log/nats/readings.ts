import { defer, finalize, type Observable } from 'rxjs';
import type { Delivery, DeliveryOptions } from '../../../streams/ports/event-log.ts';
import type { Logger } from '../../logging/logger.ts';
import { oneSubscriberEach } from '../one-subscriber.ts';
import type { NatsLink } from './connection.ts';
import { natsDeliveries } from './deliveries.ts';
import { type NatsLease, natsLease } from './lease.ts';
import type { NatsTopology } from './topology.ts';
import { type NatsUnacked, natsUnacked } from './unacked.ts';
import { whileHeld } from './while-held.ts';

/** All that is read here: what each durable has in hand, whether it is ours, and why nothing comes from it. */
export interface NatsReadings {
  /** As an `EventLog` does it, but for completing. */
  deliveries(options: DeliveryOptions): Observable<Delivery>;
  /** Why nothing comes at the moment from a durable that is read, or stands by to be; for people. `null` when all is well. */
  problem(): string | null;
  /** Gives the leases to whoever waits for them. */
  release(): Promise<void>;
}

export interface NatsReadingsOptions {
  readonly link: NatsLink;
  readonly topology: NatsTopology;
  readonly logger: Logger;
  readonly replicas: number;
  /** Whether a durable is read only while its lease is ours. */
  readonly lease: LeaseOptions | undefined;
}

export interface LeaseOptions {
  readonly ttlMs: number;
  readonly id: string;
}

export function natsReadings({ link, topology, logger, replicas, lease }: NatsReadingsOptions): NatsReadings {
  const exclusive = oneSubscriberEach();
  const unackedOf = new Map<string, NatsUnacked>();
  const leaseOf = new Map<string, NatsLease>();
  const problemOf = new Map<string, string | null>();

  /** Asked for when it is first needed, and held from then on. */
  function leased(durable: string, terms: LeaseOptions): NatsLease {
    const known = leaseOf.get(durable) ?? natsLease({ link, durable, replicas, logger, ...terms });
    leaseOf.set(durable, known);
    return known;
  }

  /** Outlives the subscriber, whose successor goes on with what is in hand. */
  function inHand(durable: string): NatsUnacked {
    const known = unackedOf.get(durable) ?? natsUnacked(link);
    unackedOf.set(durable, known);
    return known;
  }

  return {
    deliveries(options) {
      const { durable } = options;
      const onProblem = (reason: string | null) => problemOf.set(durable, reason);
      const context = { link, topology, logger, unacked: inHand(durable), onProblem };
      const deliveries$ = natsDeliveries(context, options).pipe(finalize(() => onProblem(null)));
      const own$ = lease === undefined ? deliveries$ : defer(() => whileHeld(leased(durable, lease), deliveries$));
      return exclusive(durable, own$);
    },
    problem() {
      const reasons = [...[...leaseOf.values()].map((held) => held.problem()), ...problemOf.values()];
      return reasons.find((reason) => reason !== null) ?? null;
    },
    async release() {
      await Promise.all([...leaseOf.values()].map((held) => held.release()));
    },
  };
}
