import type { Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { type BindAddrs, Discv5 } from '@chainsafe/discv5';
import { type ENR, getV4Crypto, type SignableENR } from '@chainsafe/enr';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { LRUCache } from 'lru-cache';
import { fromEvent, map, merge, mergeWith, NEVER, type Observable, ReplaySubject, Subject, takeUntil } from 'rxjs';
import { decodeEnrText } from '../../../consensus/enr.ts';
import { type Failure, failed, failure, type Outcome, success } from '../../../consensus/failure.ts';
import { type NodeRecord, readNodeRecord } from '../../../consensus/node-record.ts';
import { fromAbortable } from '../../../streams/flow/from-abortable.ts';
import type { Discovery, NeighbourAnswer } from '../../../streams/ports/discovery.ts';
import type { Logger } from '../../logging/logger.ts';
import { checkUdpPort } from '../own/free-port.ts';
import { IP6_PORT_DISTANCE } from '../own/listening.ts';
import { askable } from './askable.ts';
import { mend } from './mended.ts';
import { useNativeSessionCrypto } from './session-crypto.ts';

export interface Discv5Options {
  readonly privateKey: PrivateKey;
  readonly record: SignableENR;
  readonly bindIp: string;
  /** An IPv6 address to listen on besides, when `bindIp` is of IPv4. */
  readonly bindIp6?: string | undefined;
  readonly udpPort: number;
  readonly bootnodes: readonly string[];
  readonly logger: Logger;
}

export interface Discv5Adapter extends Discovery {
  readonly record: SignableENR;
  /** Errors when a socket is lost; never completes. */
  readonly failed$: Observable<never>;
  stop(): Promise<void>;
}

/** Log distances run to 256; half of all nodes are at 256, a quarter at 255 and so on, so the near buckets are empty. */
const FARTHEST = 256;
const NEAREST = 236;
const REQUEST_TIMEOUT_MS = 2_000;
/** discv5 answers within its own timeout and one retry; a request that it lost track of is given up after this. */
const PATIENCE_MS = 5_000;
/** Records of nodes that have opened a session with us; those that dial us soon after are looked for here. */
const MAX_SESSIONS = 10_000;

/**
 * Starts the discv5 side of the crawler.
 * @throws the system's error when a port cannot be had
 */
export async function startDiscv5(options: Discv5Options): Promise<Discv5Adapter> {
  const { privateKey, record, bindIp, bindIp6, udpPort, bootnodes, logger } = options;
  await useNativeSessionCrypto();
  const bindAddrs = bindAddresses(bindIp, bindIp6, udpPort);
  const service = Discv5.create({
    enr: record,
    privateKey,
    bindAddrs,
    config: { requestTimeout: REQUEST_TIMEOUT_MS, requestRetries: 1, enrUpdate: true, lookupTimeout: 10_000 },
  });
  mend(service, logger);
  const heard = new Subject<NodeRecord>();
  events(service).on('enrAdded', (enr: ENR) => {
    const read = readNodeRecord(enr);
    if (read.ok) heard.next(read.value);
  });
  // A node that asks us something shows its record, also one behind a NAT that no table holds.
  const sessions = new LRUCache<string, ENR>({ max: MAX_SESSIONS });
  events(service.sessionService).on('established', (_address: unknown, enr: ENR) => {
    sessions.set(enr.nodeId, enr);
    const read = readNodeRecord(enr);
    if (read.ok) heard.next(read.value);
  });
  // discv5 does not wait for the answer of the system, and would take a port in use for its own.
  await checkUdpPort(bindIp, udpPort);
  if (bindIp6 !== undefined) await checkUdpPort(bindIp6, udpPort + IP6_PORT_DISTANCE);
  await service.start();
  const stopping$ = new ReplaySubject<void>(1);
  const failed$ = new ReplaySubject<never>(1);
  lost(socketsOf(service)).pipe(takeUntil(stopping$)).subscribe(failed$);
  for (const bootnode of bootnodes) addBootnode(service, bootnode, logger);

  return {
    record: service.enr,
    failed$: failed$.pipe(mergeWith(NEVER)),
    heard$: heard,
    find: (peerId) => fromAbortable(() => findRecord(service, sessions, peerId)),
    neighbours: (enr) => fromAbortable((signal) => readBuckets(service, enr, familiesOf(bindAddrs), signal)),
    stop: async () => {
      stopping$.next();
      heard.complete();
      await service.stop().catch((error: NodeJS.ErrnoException) => {
        // A socket that is lost cannot be closed once more.
        if (error.code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING') throw error;
      });
    },
  };
}

type Family = 'udp4' | 'udp6';

function bindAddresses(ip: string, ip6: string | undefined, port: number): BindAddrs {
  if (ip.includes(':')) return { ip6: multiaddr(`/ip6/${ip}/udp/${port}`) };
  const ip4 = multiaddr(`/ip4/${ip}/udp/${port}`);
  return ip6 === undefined ? { ip4 } : { ip4, ip6: multiaddr(`/ip6/${ip6}/udp/${port + IP6_PORT_DISTANCE}`) };
}

function familiesOf(bound: BindAddrs): Family[] {
  return [
    ...('ip4' in bound && bound.ip4 !== undefined ? ['udp4' as const] : []),
    ...('ip6' in bound && bound.ip6 !== undefined ? ['udp6' as const] : []),
  ];
}

/** A session's record if there is one, else a walk towards the node's id. */
async function findRecord(service: Discv5, sessions: LRUCache<string, ENR>, peerId: string): Promise<string | null> {
  const nodeId = nodeIdOf(peerId);
  if (nodeId === null) return null;
  const heard = sessions.get(nodeId) ?? service.findEnr(nodeId);
  if (heard !== undefined) return heard.encodeTxt();
  const found = await service.findNode(nodeId).catch(() => []);
  return found.find((enr) => enr.nodeId === nodeId)?.encodeTxt() ?? null;
}

/** The discv5 node id of a libp2p peer: both come from the same secp256k1 key. */
function nodeIdOf(peerId: string): string | null {
  try {
    const { publicKey } = peerIdFromString(peerId);
    return publicKey?.type === 'secp256k1' ? getV4Crypto().nodeId(publicKey.raw) : null;
  } catch {
    return null;
  }
}

/** discv5's services are EventEmitters, which their type declarations lose under Node's module resolution. */
function events(service: object): EventEmitter {
  if (service instanceof EventEmitter) return service;
  throw new TypeError('this version of discv5 emits no events');
}

/** The sockets of a service that has started; it has no word for their end. */
function socketsOf({ sessionService: { transport } }: Discv5): Socket[] {
  const { ip4, ip6 } = transport as unknown as Partial<Record<'ip4' | 'ip6', { readonly socket?: Socket }>>;
  return [ip4?.socket, ip6?.socket].filter((socket) => socket !== undefined);
}

/** Errors when one of the sockets does, or is closed. */
function lost(sockets: readonly Socket[]): Observable<never> {
  return merge(...sockets.flatMap((socket) => [fromEvent(socket, 'error'), fromEvent(socket, 'close')])).pipe(
    map((reason): never => {
      throw reason instanceof Error ? reason : new Error('a UDP socket was closed');
    }),
  );
}

function addBootnode(service: Discv5, bootnode: string, logger: Logger): void {
  try {
    service.addEnr(bootnode);
  } catch (error) {
    logger.warn({ err: error }, 'a bootnode record cannot be used');
  }
}

/** Asks for one bucket after another from the farthest inwards; from the first empty one on, for all others at once. */
async function readBuckets(
  service: Discv5,
  text: string,
  families: readonly Family[],
  signal: AbortSignal,
): Promise<Outcome<NeighbourAnswer>> {
  const enr = decodeEnr(text);
  if (enr === null) return failed('resolve', 'bad_response', 'not a valid ENR');
  if (!families.some((family) => enr.getLocationMultiaddr(family) !== undefined)) {
    return failed('resolve', 'no_address', `no ${families.join(' or ')} in the ENR`);
  }
  const records = new Map<string, NodeRecord>();
  let requests = 0;
  try {
    let asked = [FARTHEST];
    while (asked.length > 0 && !signal.aborted) {
      requests++;
      const found = await patiently(service.sendFindNode(enr, asked));
      for (const neighbour of found) {
        const read = readNodeRecord(neighbour);
        if (read.ok) records.set(read.value.nodeId, read.value);
      }
      const nearer = distancesBelow(asked.at(-1) ?? NEAREST);
      asked = found.length > 0 ? nearer.slice(0, 1) : nearer;
    }
    return success({ records: [...records.values()], requests });
  } catch (error) {
    // What came before the node fell silent is still news.
    if (records.size > 0) return success({ records: [...records.values()], requests });
    return { ok: false, failure: failureOf(error) };
  }
}

function decodeEnr(text: string): ENR | null {
  try {
    return askable(decodeEnrText(text));
  } catch {
    return null;
  }
}

/** discv5 rejects with the names of its request and response errors as codes. */
function failureOf(error: unknown): Failure {
  const { code = '', message = String(error) } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return failure('resolve', code === 'Timeout' ? 'timeout' : 'bad_response', message);
}

/** Descending. */
function distancesBelow(distance: number): number[] {
  return Array.from({ length: Math.max(0, distance - NEAREST) }, (_, index) => distance - 1 - index);
}

function patiently<T>(answer: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(Object.assign(new Error('no answer'), { code: 'Timeout' })), PATIENCE_MS);
  answer.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}
