import { describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../../src/consensus/bootnodes.ts';
import { createSeeds } from '../../../src/streams/crawl/seeds.ts';
import { recordOf } from '../../support/streams/network.ts';

const [FIRST = '', SECOND = '', THIRD = ''] = BOOTNODES.mainnet;
const nobody = () => false;

describe('createSeeds', () => {
  it('names the bootnodes, then known peers that have a record and do not fail', () => {
    const seeds = createSeeds([FIRST], nobody);
    expect(
      seeds([
        { enr: SECOND, failures: 0 },
        { enr: THIRD, failures: 1 },
        { enr: null, failures: 0 },
        { enr: 'enr:nonsense', failures: 0 },
      ]),
    ).toEqual([FIRST, SECOND].map((enr) => ({ nodeId: recordOf(enr).nodeId, enr })));
  });

  it('leaves out who asked to be left alone, a bootnode, too', () => {
    const declined = [FIRST, SECOND].map((enr) => recordOf(enr).nodeId);
    const seeds = createSeeds([FIRST, THIRD], ({ nodeId }) => declined.includes(nodeId));
    expect(seeds([{ enr: SECOND, failures: 0 }]).map(({ enr }) => enr)).toEqual([THIRD]);
  });

  it('names no more known peers than it needs, and looks at no more', () => {
    let looked = 0;
    function* endless() {
      for (;;) {
        looked++;
        yield { enr: SECOND, failures: 0 };
      }
    }
    expect(createSeeds([], nobody)(endless())).toHaveLength(64);
    expect(looked).toBe(65);
  });
});
