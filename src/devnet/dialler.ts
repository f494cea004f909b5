import type { Connection } from '@libp2p/interface';
import type { Observable } from 'rxjs';
import { uint64 } from './bytes.ts';
import { custodyGroupCountIn, irrelevance } from './chain.ts';
import type { ClientProfile } from './clients.ts';
import type { Dialler } from './conduct.ts';
import { responseBytes, type Self, statusOf } from './methods.ts';
import { type Method, request } from './reqresp.ts';

const MIN_CUSTODY_GROUP_COUNT = 4n;
const MAX_CUSTODY_GROUP_COUNT = 128n;

/** The peer's answer shows that it cannot be lived with; the message says why. */
export class UnacceptablePeer extends Error {
  override readonly name = 'UnacceptablePeer';
}

export interface DiallerOptions {
  readonly connection: Connection;
  readonly profile: ClientProfile;
  readonly self: Self;
  readonly greeted: Observable<void>;
  readonly signal: AbortSignal;
  readonly onFailure: (method: string, error: unknown) => void;
}

/** The requests a node makes of a peer that has dialled it. */
export function diallerOn({ connection, profile, self, greeted, signal, onFailure }: DiallerOptions): Dialler {
  const ask = async (methods: readonly Method[], body: Uint8Array) => {
    try {
      return await request(connection, { methods, body, responseBytes }, signal);
    } catch (error) {
      onFailure(methods[0] ?? '', error);
      throw error;
    }
  };
  const statusVersion = profile.statusVersions[0];
  const metaDataMethods = profile.metaDataVersions.map((version): Method => `metadata/${version}`);

  return {
    greeted,
    askStatus: async () => {
      const { body } = await ask([`status/${statusVersion}`], statusOf(self, statusVersion));
      const reason = irrelevance(self.schedule, self.slot(), body);
      if (reason !== null) throw new UnacceptablePeer(reason);
    },
    askMetaData: async () => {
      const { method, body } = await ask(metaDataMethods, new Uint8Array());
      if (method !== 'metadata/3') return;
      const count = custodyGroupCountIn(body);
      if (count < MIN_CUSTODY_GROUP_COUNT || count > MAX_CUSTODY_GROUP_COUNT) {
        throw new UnacceptablePeer(`a custody group count of ${count}`);
      }
    },
    ping: async () => {
      await ask(['ping/1'], uint64(BigInt(self.metaDataSequence())));
    },
  };
}
