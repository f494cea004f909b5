import type { JetStreamClient } from 'nats';
import type { PublishedStream } from '../../../streams/ports/spool.ts';
import type { Logger } from '../../logging/logger.ts';
import { askUnapplied } from './applied.ts';
import type { NatsLink } from './connection.ts';
import { EventLogUnreachableError } from './errors.ts';
import { type NatsPublisher, natsPublisher } from './publisher.ts';
import type { NatsTopology } from './topology.ts';
import { askingAll } from './unapplied.ts';

/** The stream as whoever publishes sees it. */
export type NatsPublishedStream = Omit<PublishedStream, 'publish'> & NatsPublisher;

export interface PublishedStreamOptions {
  readonly link: Pick<NatsLink, 'connection' | 'servers' | 'connected' | 'losses'>;
  readonly topology: Pick<NatsTopology, 'ensure' | 'learn' | 'incarnation' | 'leader'>;
  readonly jetstream: Pick<JetStreamClient, 'publish'>;
  readonly logger: Logger;
  /** How long to wait for the connection, for each acknowledgement, and for each answer. */
  readonly timeoutMs: number;
}

export function natsPublishedStream({
  link,
  topology,
  jetstream,
  logger,
  timeoutMs,
}: PublishedStreamOptions): NatsPublishedStream {
  const session = () => `${[topology.incarnation, topology.leader].join(' ')} after ${link.losses()} losses`;
  const publisher = natsPublisher({ link, topology, jetstream, session, timeoutMs });
  const askAll = askingAll((durable, eventIds) => askUnapplied(link.connection, durable, eventIds, timeoutMs), logger);
  /** Durables whose consumers say what they have applied. */
  let saying: readonly string[] = [];

  return {
    ...publisher,
    async state() {
      await link.connected(timeoutMs);
      // Of before the question: an answer over a connection that is lost meanwhile is of no session.
      const losses = link.losses();
      const place = await topology.ensure();
      const readers = await topology.learn();
      const { acknowledged, missed, others } = readers;
      saying = readers.saying;
      if (link.losses() !== losses) throw new EventLogUnreachableError(`connection to NATS at ${link.servers} lost`);
      // A server that was killed may keep for ever what it had been told was read (nats-server 2.9).
      const firstSequence = Math.min(Math.max(place.firstSequence, acknowledged + 1), missed + 1);
      return { ...place, firstSequence, readers: others, session: session() };
    },
    unapplied: (eventIds) => askAll(saying, eventIds),
  };
}
