import type { NodeRecord } from '../../consensus/node-record.ts';
import type { Admission } from '../admission.ts';
import type { Frontier } from './frontier.ts';
import type { Suspicion } from './suspicion.ts';

export interface MeetOptions {
  /** Our own peer id: our record comes back from the DHT. */
  readonly ownPeerId: string;
  readonly admission: Pick<Admission, 'declines' | 'mayAsk'>;
  readonly frontier: Pick<Frontier, 'add'>;
  readonly suspicion: Pick<Suspicion, 'told'>;
}

export interface Met {
  /** Those that we may have to do with. */
  readonly taken: readonly NodeRecord[];
  /** How many there was no room for. */
  readonly turnedAway: number;
}

/** Who has told of nodes is named by its record; nobody has told of those that came by themselves. */
export type Meet = (records: readonly NodeRecord[], teller?: string) => Met;

/** Gives nodes to the frontier, and remembers who told of those that will be asked. */
export function createMeet({ ownPeerId, admission, frontier, suspicion }: MeetOptions): Meet {
  return (records, teller) => {
    const taken: NodeRecord[] = [];
    let turnedAway = 0;
    for (const record of records) {
      if (record.peerId === ownPeerId || admission.declines(record)) continue;
      const meeting = frontier.add(record, admission.mayAsk);
      if (meeting === 'to-ask' && teller !== undefined) suspicion.told(teller, record.nodeId);
      if (meeting === 'turned-away') turnedAway++;
      else taken.push(record);
    }
    return { taken, turnedAway };
  };
}
