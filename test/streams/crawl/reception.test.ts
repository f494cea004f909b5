import { describe, expect, it } from 'vitest';
import { BOOTNODES } from '../../../src/consensus/bootnodes.ts';
import { failed, success } from '../../../src/consensus/failure.ts';
import type { NodeRecord } from '../../../src/consensus/node-record.ts';
import { NOBODY } from '../../../src/consensus/opt-out.ts';
import { createFrontier } from '../../../src/streams/crawl/frontier.ts';
import { createReception } from '../../../src/streams/crawl/reception.ts';
import { CLOCK, DIGEST, NETWORK, nodeRecord, recordOf } from '../../support/streams/network.ts';

const [TELLER = ''] = BOOTNODES.mainnet;

function receptionOf(perIp: number) {
  const isOurs = ({ eth2 }: NodeRecord) => eth2?.forkDigest === DIGEST;
  const frontier = createFrontier({ maxNodes: 1_000, isOurs });
  const known: string[] = [];
  const problems: string[] = [];
  let ids = 0;
  const reception = createReception({
    network: NETWORK,
    optOut: NOBODY,
    ownPeerId: 'ourselves',
    source: { clock: CLOCK, crawlerId: 'test', crawlerLocation: 'here', nextEventId: () => `e:${ids++}` },
    scheduler: { now: () => 0 },
    limits: { peers: 1_000, entriesPerPlace: { perIp, perPrefix: 1_000 }, askedPerPlace: { perIp, perPrefix: 1_000 } },
    registry: {
      get: () => undefined,
      wants: (peerId) => !known.includes(peerId),
      send: (peerId) => known.push(peerId),
    },
    frontier,
    isOurs,
  });
  reception.problems$.subscribe(({ peerId, failure }) => problems.push(`${peerId} ${failure.detail}`));
  const begin = () => {
    reception.beginRound();
    frontier.startRound([{ nodeId: 'teller', enr: TELLER }], 0);
  };
  begin();
  return { reception, frontier, known, problems, begin };
}

const NODES = Array.from({ length: 20 }, (_, index) => nodeRecord(`n${index}`));
const ANSWER = { target: { nodeId: 'teller', enr: TELLER }, answer: success({ records: NODES, requests: 1 }) };

describe('createReception', () => {
  it('gives what a node told of to the frontier, and as news to the registry once that is durable', () => {
    const { reception, frontier, known } = receptionOf(1_000);
    const news = reception.receiveAnswer(ANSWER);
    expect(news.entries).toHaveLength(20);
    expect(frontier.waiting).toBe(1 + 20);
    // While it is on its way, somebody who comes by himself is no news.
    expect(reception.receiveUnasked(nodeRecord('n3')).entries).toEqual([]);
    reception.settle(news, null);
    expect(known).toEqual(NODES.map(({ peerId }) => peerId));
    expect(reception.receiveUnasked(nodeRecord('n3')).entries).toEqual([]);
  });

  it('names who tells of many at one place, and asks no more there than it may, in each round anew', () => {
    const { reception, frontier, problems, begin } = receptionOf(4);
    expect(reception.receiveAnswer(ANSWER).entries).toHaveLength(4);
    expect(frontier.waiting).toBe(1 + 4);
    expect(problems).toEqual([`${recordOf(TELLER).peerId} 16 of 20 nodes it told of are at crowded places`]);
    for (let target = frontier.take(0); target !== null; target = frontier.take(0)) {
      frontier.answered({ target, answer: failed('resolve', 'timeout') }, 0);
    }
    begin();
    reception.receiveAnswer({ ...ANSWER, answer: success({ records: NODES.slice(9), requests: 1 }) });
    expect(frontier.waiting).toBe(1 + 4);
  });

  it('takes nothing from a node that was silent', () => {
    const { reception, frontier } = receptionOf(1_000);
    expect(reception.receiveAnswer({ ...ANSWER, answer: failed('resolve', 'timeout') }).entries).toEqual([]);
    expect(frontier.waiting).toBe(1);
  });
});
