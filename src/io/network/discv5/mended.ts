import type { EventEmitter } from 'node:events';
import { type Discv5, Session } from '@chainsafe/discv5';
import { ENR, SignableENR } from '@chainsafe/enr';
import { RLP } from '@ethereumjs/rlp';
import { LRUCache } from 'lru-cache';
import { decodeEnr, enrOfValues } from '../../../consensus/enr.ts';
import type { Logger } from '../../logging/logger.ts';

/**
 * What `@chainsafe/discv5` 11.0.4 does otherwise than the specification and other nodes, mended in one place. Each has a test
 * in `mended.test.ts` that fails without it; what passes with an unmended version one day can go.
 */

type Answer = { readonly id: Uint8Array; total: number; enrs: ENR[] };
/** As far as it is used here; the types of the package keep it to themselves. */
interface Service {
  handleNodes(from: unknown, request: unknown, answer: Answer): boolean;
  readonly activeRequests: Map<bigint, unknown>;
}

/** To be called before the service starts. */
export function mend(discovery: Discv5, logger: Pick<Logger, 'debug'>): void {
  readEachRecord();
  readZeros();
  const service = discovery as unknown as Service & EventEmitter;
  const handleNodes = service.handleNodes.bind(service);
  const early = new LRUCache<bigint, ENR[]>({ max: MAX_EARLY });
  service.handleNodes = (from, request, answer) => {
    answer.enrs = answer.enrs.filter((enr) => enr !== UNREADABLE);
    if (answer.total !== FULL_ANSWER) return handleNodes(from, request, answer);
    return (
      fullAnswer(answer, { early, again: (id) => service.activeRequests.set(id, request) }) &&
      handleNodes(from, request, answer)
    );
  };
  answerTalkRequests(service, discovery, logger);
}

/** A record that cannot be read stands for itself; a sound one of nobody, so that it does no harm where it is not sorted out. */
const UNREADABLE = SignableENR.createV4(crypto.getRandomValues(new Uint8Array(32))).toENR();

/**
 * One record that cannot be read hides the others of its message, and records are refused that others take: of sequence 0, of
 * exactly 300 bytes, or with keys in the order of bytes.
 */
function readEachRecord(): void {
  ENR.decode = (bytes) => decodeEnr(bytes);
  ENR.decodeFromValues = (values) => {
    try {
      return enrOfValues(values);
    } catch {
      return UNREADABLE;
    }
  };
}

const { decryptMessage } = Session.prototype;
const PING = 1;
const PONG = 2;

/** The number 0 is written without a byte (RLP), which the library takes for no number: a node whose record has sequence 0 got no PONG. */
function readZeros(): void {
  Session.prototype.decryptMessage = function (...parts) {
    return withZero(decryptMessage.apply(this, parts));
  };
}

/** The same message, with a sequence of 0 in a form that the library reads. */
function withZero(message: Uint8Array): Uint8Array {
  const [type = 0] = message;
  if (type !== PING && type !== PONG) return message;
  try {
    const items = RLP.decode(message.slice(1));
    if (!Array.isArray(items) || !(items[1] instanceof Uint8Array) || items[1].length > 0) return message;
    return Uint8Array.of(type, ...RLP.encode(items.with(1, Uint8Array.of(0))));
  } catch {
    // The library refuses it in its own words.
    return message;
  }
}

/** Messages of an answer with a full bucket: 16 records of up to 300 bytes, three to a datagram of 1,280. */
const FULL_ANSWER = 6;
/** Answers of which the first message has come. */
const MAX_EARLY = 1_024;

/** The service takes five messages: the first of six waits here for the second. */
function fullAnswer(
  answer: Answer,
  { early, again }: { early: LRUCache<bigint, ENR[]>; again: (id: bigint) => void },
): boolean {
  const id = BigInt(`0x${Buffer.from(answer.id).toString('hex') || '0'}`);
  const first = early.get(id);
  if (first === undefined) {
    early.set(id, answer.enrs);
    again(id);
    return false;
  }
  answer.enrs.unshift(...first);
  early.set(id, []);
  answer.total = FULL_ANSWER - 1;
  return true;
}

/** A TALKREQ must be answered, with nothing where the protocol is not known (discv5-wire.md, "TALKREQ Request"). */
function answerTalkRequests(events: EventEmitter, discovery: Discv5, logger: Pick<Logger, 'debug'>): void {
  type Remote = Parameters<Discv5['sendTalkResp']>[0];
  type RequestId = Parameters<Discv5['sendTalkResp']>[1];
  events.on('talkReqReceived', (remote: Remote, _: unknown, request: { readonly id: RequestId }) => {
    discovery.sendTalkResp(remote, request.id, new Uint8Array(0)).catch((error: unknown) => {
      logger.debug({ err: error }, 'a TALKREQ could not be answered');
    });
  });
}
