import { uint64 } from './bytes.ts';
import { encodeMetaData, encodeStatus, METADATA_BYTES, STATUS_BYTES, UINT64_BYTES } from './chain.ts';
import type { ClientName, ClientProfile } from './clients.ts';
import type { Presence } from './record.ts';
import type { Answer, Method } from './reqresp.ts';
import type { ForkSchedule } from './schedule.ts';

/** What a node says of itself at this moment. */
export interface Self {
  readonly client: ClientName;
  readonly schedule: ForkSchedule;
  readonly custodyGroupCount: number;
  /** Whether it follows the chain, or has only the genesis block. */
  readonly isSynced: boolean;
  slot(): number;
  presence(): Presence;
  metaDataSequence(): number;
}

export function statusOf(self: Self, version: 1 | 2): Uint8Array {
  return encodeStatus(self.schedule, self.slot(), version, self.isSynced);
}

/** The methods that a client serves, and how. */
export function servedMethods(profile: ClientProfile, self: Self): Map<Method, Answer> {
  const served = new Map<Method, Answer>();
  for (const version of profile.statusVersions) {
    served.set(`status/${version}`, {
      requestBytes: STATUS_BYTES[version],
      waitsForHalfClose: false,
      respond: () => statusOf(self, version),
    });
  }
  for (const version of profile.metaDataVersions) {
    served.set(`metadata/${version}`, {
      requestBytes: 0,
      waitsForHalfClose: profile.waitsForHalfClose,
      respond: () => encodeMetaData(self.presence(), metaDataNumbers(self), version),
    });
  }
  served.set('ping/1', {
    requestBytes: UINT64_BYTES,
    waitsForHalfClose: false,
    respond: () => uint64(BigInt(self.metaDataSequence())),
  });
  served.set('goodbye/1', { requestBytes: UINT64_BYTES, waitsForHalfClose: false, respond: () => null });
  return served;
}

/** Size of the SSZ body that answers a method. */
export function responseBytes(method: Method): number {
  switch (method) {
    case 'status/1':
      return STATUS_BYTES[1];
    case 'status/2':
      return STATUS_BYTES[2];
    case 'metadata/1':
      return METADATA_BYTES[1];
    case 'metadata/2':
      return METADATA_BYTES[2];
    case 'metadata/3':
      return METADATA_BYTES[3];
    default:
      return UINT64_BYTES;
  }
}

function metaDataNumbers(self: Self): { sequence: number; custodyGroupCount: number } {
  return { sequence: self.metaDataSequence(), custodyGroupCount: self.custodyGroupCount };
}
