import { describe, expect, it } from 'vitest';
import { failed, success } from '../../../src/consensus/failure.ts';
import type { NodeRecord } from '../../../src/consensus/node-record.ts';
import { createSuspicion } from '../../../src/streams/crawl/suspicion.ts';
import type { DiscoveryAnswer } from '../../../src/streams/discovery.ts';
import { nodeRecord } from '../../support/streams/network.ts';

function suspicionOf() {
  const blamed: string[] = [];
  const suspicion = createSuspicion((enr, detail) => blamed.push(`${enr}: ${detail}`));
  return { suspicion, blamed };
}

function answer(name: string, records: readonly NodeRecord[] | null): DiscoveryAnswer {
  const target = { nodeId: `node-${name}`, enr: `enr:${name}` };
  return { target, answer: records === null ? failed('resolve', 'timeout') : success({ records, requests: 1 }) };
}

const TOLD = Array.from({ length: 20 }, (_, index) => nodeRecord(String(index)));

describe('createSuspicion', () => {
  it.each<[string, DiscoveryAnswer, number, string[]]>([
    ['sixteen turned away', answer('a', TOLD), 16, ['enr:a: 16 of 20 nodes it told of are at crowded places']],
    ['fifteen turned away', answer('a', TOLD), 15, []],
    ['silence', answer('a', null), 0, []],
  ])('judges an answer by how many of its nodes there was no room for: %s', (_, answered, turnedAway, named) => {
    const { suspicion, blamed } = suspicionOf();
    suspicion.judge(answered, turnedAway);
    expect(blamed).toEqual(named);
  });

  it('names the teller of sixteen nodes none of which answers, and of fewer not, nor over two rounds', () => {
    const { suspicion, blamed } = suspicionOf();
    const hear = (names: readonly string[]) => {
      for (const name of names) suspicion.told('enr:liar', `node-${name}`);
      for (const name of names) suspicion.judge(answer(name, null), 0);
    };
    const names = TOLD.map(({ peerId }) => peerId);
    hear(names.slice(0, 15));
    suspicion.beginRound();
    hear(names.slice(0, 15));
    expect(blamed).toEqual([]);
    hear(names.slice(15));
    expect(blamed).toEqual(['enr:liar: none of 16 nodes that it alone told of has answered']);
  });
});
