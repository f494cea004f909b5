import { describe, expect, it } from 'vitest';
import { createMeet } from '../../../src/streams/crawl/meet.ts';
import type { Meeting } from '../../../src/streams/crawl/round.ts';
import { nodeRecord } from '../../support/streams/network.ts';

/** A frontier to which each node is what is said of it here. */
function meetWith(meetings: Record<string, Meeting>) {
  const added: string[] = [];
  const told: string[] = [];
  const meet = createMeet({
    ownPeerId: 'ourselves',
    admission: { declines: ({ peerId }) => peerId === 'opted-out', mayAsk: () => 'yes' },
    frontier: {
      add({ peerId }) {
        added.push(peerId);
        return meetings[peerId] ?? 'met';
      },
    },
    suspicion: { told: (teller, nodeId) => told.push(`${teller} ${nodeId}`) },
  });
  return { meet, added, told };
}

const names = ['new', 'ourselves', 'known', 'opted-out', 'crowded'];
const records = names.map((name) => nodeRecord(name));
const MEETINGS = { new: 'to-ask', known: 'met', crowded: 'turned-away' } as const;

describe('createMeet', () => {
  it('takes whom the frontier takes, and has nothing to do with ourselves and with those who asked for it', () => {
    const { meet, added, told } = meetWith(MEETINGS);
    const { taken, turnedAway } = meet(records, 'enr:teller');
    expect(added).toEqual(['new', 'known', 'crowded']);
    expect(taken.map(({ peerId }) => peerId)).toEqual(['new', 'known']);
    expect(turnedAway).toBe(1);
    // Only who will be asked can show whether the teller has made it up.
    expect(told).toEqual(['enr:teller node-new']);
  });

  it('knows no teller of those that came by themselves', () => {
    const { meet, told } = meetWith(MEETINGS);
    expect(meet(records).taken).toHaveLength(2);
    expect(told).toEqual([]);
  });
});
