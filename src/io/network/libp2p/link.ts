import type { Identify } from '@libp2p/identify';
import type { Connection } from '@libp2p/interface';
import { firstValueFrom, from, type Observable, timeout } from 'rxjs';
import {
  decodeMetaData,
  decodeStatus,
  encodeStatus,
  encodeUint64,
  METADATA_BYTES,
  type MetaData,
  type MetaDataVersion,
  STATUS_BYTES,
  type Status,
  type StatusVersion,
} from '../../../consensus/containers.ts';
import type { Transport } from '../../../consensus/events.ts';
import { type Failure, type Outcome, success } from '../../../consensus/failure.ts';
import { fromAbortable } from '../../../streams/flow/from-abortable.ts';
import type { Identity, PeerLink, SubscriptionRpc } from '../../../streams/ports/peer-link.ts';
import type { Logger } from '../../logging/logger.ts';
import { type Answer, request } from '../reqresp/client.ts';
import { encodeRequest } from '../reqresp/payload.ts';
import { GOODBYE_PROTOCOL, METADATA_PROTOCOLS, STATUS_PROTOCOLS } from '../reqresp/protocols.ts';
import { failureOf } from './failure-of.ts';

export interface LinkContext {
  readonly identify: Identify;
  readonly subscriptions$: Observable<SubscriptionRpc>;
  readonly closed$: Observable<Failure>;
  readonly logger: Logger;
}

/** How long a Goodbye may take before the connection is closed without it. */
const GOODBYE_TIMEOUT_MS = 1_000;
/** A stranger's agent string is cut to this. */
const MAX_AGENT_LENGTH = 256;
const MAX_LISTEN_ADDRESSES = 32;

/** A libp2p connection as the streams see it. */
export function createLink(
  connection: Connection,
  { identify, subscriptions$, closed$, logger }: LinkContext,
): PeerLink {
  const peerId = connection.remotePeer.toString();
  let leaving = false;

  return {
    peerId,
    address: connection.remoteAddr.decapsulateCode(P2P_CODE).toString(),
    direction: connection.direction,
    transport: transportOf(connection),
    openedMs: connection.timeline.open,
    identify: () => fromAbortable((signal) => askIdentity(identify, connection, signal)),
    status: (own) => fromAbortable((signal) => askStatus(connection, own, signal)),
    metaData: () => fromAbortable((signal) => askMetaData(connection, signal)),
    subscriptions$,
    closed$,
    hangUp(reason) {
      if (leaving) return;
      leaving = true;
      // A write that is never taken does not end by itself, so the whole has a limit besides that of its parts.
      firstValueFrom(from(sayGoodbye(connection, reason)).pipe(timeout(GOODBYE_TIMEOUT_MS)))
        .catch((error: unknown) => logger.trace({ peerId, err: error }, 'goodbye was not delivered'))
        .then(() => connection.close({ signal: AbortSignal.timeout(GOODBYE_TIMEOUT_MS) }))
        .catch((error: unknown) => connection.abort(error instanceof Error ? error : new Error(String(error))));
    },
  };
}

/** Multicodec of `/p2p`. */
const P2P_CODE = 421;

function transportOf({ remoteAddr }: Connection): Transport {
  return remoteAddr.protoNames().includes('quic-v1') ? 'quic' : 'tcp';
}

async function askIdentity(
  identify: Identify,
  connection: Connection,
  signal: AbortSignal,
): Promise<Outcome<Identity>> {
  try {
    const { agentVersion = '', listenAddrs } = await identify.identify(connection, { signal });
    return success({
      agent: agentVersion.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_AGENT_LENGTH),
      listenAddresses: listenAddrs.slice(0, MAX_LISTEN_ADDRESSES).map((address) => address.toString()),
    });
  } catch (error) {
    return { ok: false, failure: failureOf('identify', error) };
  }
}

async function askStatus(connection: Connection, own: Status, signal: AbortSignal): Promise<Outcome<Status>> {
  const version = (protocol: string): StatusVersion => STATUS_PROTOCOLS.get(protocol) ?? 2;
  const answer = await request(
    connection,
    {
      stage: 'status',
      protocols: [...STATUS_PROTOCOLS.keys()],
      body: (protocol) => encodeStatus(own, version(protocol)),
      answerBytes: (protocol) => STATUS_BYTES[version(protocol)],
    },
    signal,
  );
  return decoded(answer, ({ bytes, protocol }) => decodeStatus(bytes, version(protocol)));
}

async function askMetaData(connection: Connection, signal: AbortSignal): Promise<Outcome<MetaData>> {
  const version = (protocol: string): MetaDataVersion => METADATA_PROTOCOLS.get(protocol) ?? 3;
  const answer = await request(
    connection,
    {
      stage: 'metadata',
      protocols: [...METADATA_PROTOCOLS.keys()],
      body: () => new Uint8Array(0),
      answerBytes: (protocol) => METADATA_BYTES[version(protocol)],
    },
    signal,
  );
  return decoded(answer, ({ bytes, protocol }) => decodeMetaData(bytes, version(protocol)));
}

function decoded<T>(answer: Outcome<Answer>, decode: (answer: Answer) => Outcome<T>): Outcome<T> {
  return answer.ok ? decode(answer.value) : answer;
}

/** Clients differ in whether they answer a Goodbye, so none is waited for. */
async function sayGoodbye(connection: Connection, reason: bigint): Promise<void> {
  if (connection.status !== 'open') return;
  const signal = AbortSignal.timeout(GOODBYE_TIMEOUT_MS);
  const stream = await connection.newStream(GOODBYE_PROTOCOL, { signal });
  await stream.sink([encodeRequest(encodeUint64(reason))]);
  await stream.close({ signal });
}
