import { EventEmitter } from 'node:events';
import { type Discv5, log2Distance, type SessionService } from '@chainsafe/discv5';
import { type ENR, getV4Crypto, SignableENR } from '@chainsafe/enr';
import { type AddressBlock, FIRST_VACANT_INDEX, VACANT_ADDRESSES } from './addresses.ts';
import { sha256 } from './bytes.ts';

/** Records of nodes that do not exist, made as they are asked for. */

/** Messages of discv5 (discv5-wire.md, "Protocol Messages"). */
const FINDNODE = 3;
const NODES = 4;
/** Records of 300 bytes that fit into a datagram, and datagrams that an asker takes. */
const RECORDS_PER_ANSWER = 3;
const ANSWERS = 4;
const TOLD = ANSWERS * RECORDS_PER_ANSWER;
const KEYS_TRIED = 32;
/** New records in a second, lest the lie cost more than the network; beyond that the latest are told again. */
const NEW_PER_SECOND = 48;
const KEPT = 600;
/** So many ghosts are of another fork for one that claims to be of this network. */
const FOREIGN_PER_OURS = 15;
const FOREIGN_ETH2 = Buffer.from('deadbeef06000000ffffffffffffffff', 'hex');

type Contact = Parameters<SessionService['sendResponse']>[0];
type Response = Parameters<SessionService['sendResponse']>[1];

/**
 * Makes a node answer each FINDNODE with signed records of its own invention, at the distances asked for and with
 * addresses where nobody is. To be called before its discv5 starts, whose own answers then come too late.
 */
export function answerWithGhosts(discovery: Discv5, block: AddressBlock): void {
  const { sessionService } = discovery;
  if (!(sessionService instanceof EventEmitter)) throw new TypeError('this version of discv5 emits no events');
  const ghosts = createGhosts(discovery, block);
  sessionService.on(
    'request',
    (contact: Contact, request: { type: number; id: Response['id']; distances: number[] }) => {
      if (request.type !== FINDNODE || request.distances.every((distance) => distance === 0)) return;
      const records = ghosts(request.distances, Date.now());
      const total = Math.max(1, Math.ceil(records.length / RECORDS_PER_ANSWER));
      for (let answer = 0; answer < total; answer++) {
        const enrs = records.slice(answer * RECORDS_PER_ANSWER, (answer + 1) * RECORDS_PER_ANSWER);
        const response: Response = { type: NODES, id: request.id, total, enrs };
        sessionService.sendResponse(contact, response);
      }
    },
  );
}

/** Returns a function that makes records at given distances from the node, as many as its budget allows. */
function createGhosts(discovery: Discv5, block: AddressBlock): (distances: readonly number[], nowMs: number) => ENR[] {
  const { nodeId } = discovery.enr;
  const kept: { readonly distance: number; readonly record: ENR }[] = [];
  let made = 0;
  let budget = NEW_PER_SECOND;
  let refilledMs = 0;

  const invent = (distances: ReadonlySet<number>): ENR | null => {
    const raw = new Uint8Array(sha256(Buffer.from(`valtrack devnet ghost|${nodeId}|${made}`)));
    const number = made++;
    const { nodeId: deriveNodeId, publicKey } = getV4Crypto();
    const distance = log2Distance(nodeId, deriveNodeId(publicKey(raw)));
    if (!distances.has(distance)) return null;
    const port = new Uint8Array([block.port >> 8, block.port & 255]);
    const host = block.host(FIRST_VACANT_INDEX + (number % VACANT_ADDRESSES));
    const isOurs = kept.length % (FOREIGN_PER_OURS + 1) === 0;
    const ours = discovery.enr.kvs;
    const record = SignableENR.createV4(raw, {
      ip: new Uint8Array(host.split('.').map(Number)),
      tcp: port,
      udp: port,
      eth2: (isOurs ? ours.get('eth2') : undefined) ?? new Uint8Array(FOREIGN_ETH2),
      attnets: new Uint8Array(8),
      syncnets: new Uint8Array(1),
      cgc: new Uint8Array([4]),
      nfd: new Uint8Array(4),
    });
    const told = record.toENR();
    kept.push({ distance, record: told });
    budget -= 1;
    return told;
  };

  return (distances, nowMs) => {
    budget = Math.min(NEW_PER_SECOND, budget + ((nowMs - refilledMs) * NEW_PER_SECOND) / 1000);
    refilledMs = nowMs;
    const wanted = new Set(distances);
    const invented: ENR[] = [];
    for (let tried = 0; tried < KEYS_TRIED && invented.length < TOLD && budget >= 1; tried++) {
      const record = invent(wanted);
      if (record !== null) invented.push(record);
    }
    if (kept.length > KEPT) kept.splice(0, kept.length - KEPT);
    if (invented.length > 0) return invented;
    const fitting = kept.filter(({ distance }) => wanted.has(distance)).slice(-TOLD);
    return fitting.map(({ record }) => record);
  };
}
