import type { Connection } from '@libp2p/interface';
import type { Observable } from 'rxjs';
import { uint64 } from './bytes.ts';
import { custodyGroupCountIn, readStatus } from './chain.ts';
import type { ClientProfile } from './clients.ts';
import { type Dialler, PeerFailure } from './conduct.ts';
import { SLOTS_PER_EPOCH } from './duties.ts';
import { GOODBYE } from './goodbye.ts';
import { judge } from './judgement.ts';
import { responseBytes, type Self, statusOf } from './methods.ts';
import { MalformedPayload } from './payload.ts';
import { type Method, RESULT, request, requestResult } from './reqresp.ts';

const MIN_CUSTODY_GROUP_COUNT = 4n;
const MAX_CUSTODY_GROUP_COUNT = 128n;

export interface DiallerOptions {
  readonly connection: Connection;
  readonly profile: ClientProfile;
  readonly self: Self;
  readonly greeted: Observable<void>;
  readonly pinged: Observable<void>;
  readonly signal: AbortSignal;
  readonly onFailure: (method: string, error: unknown) => void;
}

/** The requests a node makes of a peer that has dialled it. */
export function diallerOn(options: DiallerOptions): Dialler & { weigh(status: Uint8Array): Promise<void> } {
  const { connection, profile, self, greeted, pinged, signal, onFailure } = options;

  const ask = async (methods: readonly Method[], body: Uint8Array) => {
    try {
      return await request(connection, { methods, body, responseBytes }, signal);
    } catch (error) {
      onFailure(methods[0] ?? '', error);
      throw failureOf(connection, error);
    }
  };

  const weigh = async (status: Uint8Array) => {
    const judgement = judge(self.client, self.schedule, self.slot(), status);
    if (!judgement.stays) throw new PeerFailure('irrelevant', judgement.reason, judgement.because);
    if (judgement.unless === undefined) return;
    const { finalizedEpoch } = readStatus(status);
    const range = [finalizedEpoch * BigInt(SLOTS_PER_EPOCH), 1n, 1n].map((value) => uint64(BigInt.asUintN(64, value)));
    const methods: Method[] = ['beacon_blocks_by_range/2'];
    const result = await requestResult(connection, { methods, body: Buffer.concat(range) }, signal).catch(
      (error: unknown) => {
        onFailure('beacon_blocks_by_range/2', error);
        return null;
      },
    );
    if (result !== RESULT.success) {
      throw new PeerFailure('irrelevant', GOODBYE.unableToVerifyNetwork, judgement.unless);
    }
  };

  const statusVersion = profile.statusVersions[0];
  const metaDataMethods = profile.metaDataVersions.map((version): Method => `metadata/${version}`);
  return {
    greeted,
    pinged,
    weigh,
    askStatus: async () => {
      const { body } = await ask([`status/${statusVersion}`], statusOf(self, statusVersion));
      await weigh(body);
    },
    askMetaData: async () => {
      const { method, body } = await ask(metaDataMethods, new Uint8Array());
      if (method !== 'metadata/3' || !profile.conduct.checksCustody) return;
      const count = custodyGroupCountIn(body);
      if (count < MIN_CUSTODY_GROUP_COUNT || count > MAX_CUSTODY_GROUP_COUNT) {
        throw new PeerFailure('irrelevant', GOODBYE.fault, `a custody group count of ${count}`);
      }
    },
    ping: async () => {
      await ask(['ping/1'], uint64(BigInt(self.metaDataSequence())));
    },
  };
}

/** What a client holds against a peer when a request has failed: nothing, when the connection has simply ended. */
function failureOf(connection: Connection, error: unknown): unknown {
  if (!(error instanceof Error) || connection.status !== 'open') return error;
  if (error instanceof MalformedPayload || error.name === 'UnsupportedProtocolError') {
    return new PeerFailure('incompatible', null, error.message);
  }
  return error.name === 'TimeoutError' ? new PeerFailure('unresponsive', null, error.message) : error;
}
