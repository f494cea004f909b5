import type { Connection } from '@libp2p/interface';
import { uint64 } from './bytes.ts';
import { custodyGroupCountIn, readStatus, subnetsIn } from './chain.ts';
import type { Asked, Pace, RequestEnd } from './clients/rules.ts';
import type { ClientProfile } from './clients.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import { GOODBYE } from './goodbye.ts';
import { judge } from './judgement.ts';
import { responseBytes, type Self, statusOf } from './methods.ts';
import { askPeer, type OwnRequest, type OwnResult } from './own-request.ts';
import type { Random } from './random.ts';
import type { Method } from './reqresp.ts';
import { blocksWanted } from './wanted-blocks.ts';

const MIN_CUSTODY_GROUP_COUNT = 4n;
const MAX_CUSTODY_GROUP_COUNT = 128n;

export interface RequesterOptions {
  readonly connection: Connection;
  readonly profile: ClientProfile;
  readonly pace: Pace;
  readonly self: Self;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Whether the node itself has ended the connection. */
  readonly hasHungUp: () => boolean;
  /** Told how each request has ended. */
  readonly onEnd: (asked: Asked, end: RequestEnd) => void;
  /** The peer is not of our chain or does what the specification does not allow; `reason` is that of a Goodbye. */
  readonly onIrrelevant: (reason: number) => void;
  readonly onSubnets: (subnets: ReturnType<typeof subnetsIn>) => void;
}

/** What a node asks a peer, and whether that has been answered. Nothing of it rejects. */
export interface Requester {
  askStatus(): Promise<boolean>;
  askMetaData(): Promise<boolean>;
  ping(): Promise<boolean>;
  /** Judges a Status of the peer, and asks for the blocks that it tells of where the client would. */
  weigh(status: Uint8Array): Promise<void>;
}

export function requesterOn(options: RequesterOptions): Requester {
  const { connection, profile, pace, self, random, signal, hasHungUp, onEnd, onIrrelevant, onSubnets } = options;
  let asksForBlocks = false;

  const ask = async (asked: Asked, request: OwnRequest): Promise<OwnResult> => {
    let result = await askPeer(connection, request, signal);
    for (let retry = 0; retry < pace.retriesOnReset && result.end.how === 'reset-in-negotiation'; retry++) {
      result = await askPeer(connection, request, signal);
    }
    if (!signal.aborted) onEnd(asked, asSeen(result));
    return result;
  };
  /** Where a stream and its connection end at once, the client may see one or the other. */
  const asSeen = ({ end, wasLast }: OwnResult): RequestEnd => {
    if (!wasLast || hasHungUp()) return end;
    if (end.how === 'disconnected') return random() < pace.seesResetsAtEnd ? { how: 'reset' } : end;
    const isCutAnswer = end.how === 'empty' || end.how === 'incomplete';
    return isCutAnswer && random() >= pace.seesAnswersEndAtEnd ? { how: 'disconnected', negotiated: true } : end;
  };

  const askForBlocks = async (method: Method, body: Uint8Array): Promise<RequestEnd> => {
    if (asksForBlocks) return { how: 'answered' };
    asksForBlocks = true;
    try {
      return (await ask('blocks', { methods: [method], body, answerBytes: null })).end;
    } finally {
      asksForBlocks = false;
    }
  };

  const weigh = async (status: Uint8Array): Promise<void> => {
    const judgement = judge(self.client, self.schedule, self.slot(), status);
    if (!judgement.stays) return onIrrelevant(judgement.reason);
    const { finalizedEpoch } = readStatus(status);
    if (judgement.unless !== undefined) {
      const range = [finalizedEpoch * BigInt(SLOTS_PER_EPOCH), 1n, 1n].map((value) =>
        uint64(BigInt.asUintN(64, value)),
      );
      const { how } = await askForBlocks('beacon_blocks_by_range/2', Buffer.concat(range));
      if (how !== 'answered' && how !== 'disconnected') onIrrelevant(GOODBYE.unableToVerifyNetwork);
      return;
    }
    const wanted = pace.asksForBlocks ? blocksWanted(self, readStatus(status)) : null;
    if (wanted !== null) await askForBlocks(wanted.method, wanted.body);
  };

  const statusVersion = profile.statusVersions[0];
  return {
    weigh,
    askStatus: async () => {
      const { body } = await ask('status', {
        methods: profile.statusVersions.map((version): Method => `status/${version}`).slice(0, 1),
        body: statusOf(self, statusVersion),
        answerBytes: responseBytes,
      });
      if (body !== null) await weigh(body);
      return body !== null;
    },
    askMetaData: async () => {
      const methods = profile.metaDataVersions.map((version): Method => `metadata/${version}`);
      const { method, body } = await ask('metadata', { methods, body: new Uint8Array(), answerBytes: responseBytes });
      if (body === null) return false;
      onSubnets(subnetsIn(body));
      if (method === 'metadata/3' && profile.conduct.checksCustody && !isCustodyAllowed(body)) {
        onIrrelevant(GOODBYE.fault);
      }
      return true;
    },
    ping: async () => {
      const body = uint64(BigInt(self.metaDataSequence()));
      const { end } = await ask('ping', { methods: ['ping/1'], body, answerBytes: responseBytes });
      return end.how === 'answered';
    },
  };
}

function isCustodyAllowed(metaData: Uint8Array): boolean {
  const count = custodyGroupCountIn(metaData);
  return count >= MIN_CUSTODY_GROUP_COUNT && count <= MAX_CUSTODY_GROUP_COUNT;
}
