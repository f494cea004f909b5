import { describe, expect, it } from 'vitest';
import { failure } from '../../src/consensus/failure.ts';
import { createFailureTally } from '../../src/streams/failure-tally.ts';

describe('createFailureTally', () => {
  it('counts by stage, cause and client, the most frequent first', () => {
    const tally = createFailureTally();
    const visit = { peerId: 'a', lease: 1 };
    tally.add({ ...visit, failure: failure('dial', 'refused', 'one detail') });
    for (let times = 0; times < 3; times++) {
      tally.add({ ...visit, failure: failure('status', 'eof', `detail ${times}`), agent: `Lighthouse/v${times}` });
    }
    tally.add({ ...visit, failure: failure('status', 'eof'), agent: 'teku/v25' });
    expect(tally.total).toBe(5);
    expect(tally.counts()).toEqual([
      { stage: 'status', cause: 'eof', client: 'Lighthouse', count: 3 },
      { stage: 'dial', cause: 'refused', client: 'unknown', count: 1 },
      { stage: 'status', cause: 'eof', client: 'Teku', count: 1 },
    ]);
  });
});
