import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLIENTS, clientOf } from '../../src/consensus/client.ts';
import { contentEventId, eventIds, parseEventId } from '../../src/consensus/event-id.ts';
import { CAUSES, failure, RETRY_CLASS, STAGES } from '../../src/consensus/failure.ts';
import { parsePeerAddress } from '../../src/consensus/peer-address.ts';

describe('the client of an agent string', () => {
  it.each([
    ['Lighthouse/v5.1.3-3058b96/x86_64-linux', 'Lighthouse'],
    ['Prysm/v5.0.0/b7b017f5b607f04d4e9056a1ec8a6851a9c7da29', 'Prysm'],
    ['teku/teku/v25.1.0/linux-x86_64/-eclipseadoptium-openjdk64bitservervm-java-21', 'Teku'],
    ['nimbus', 'Nimbus'],
    ['nimbus/v26.3.1-abcdef-stateofus', 'Nimbus'],
    ['lodestar/v1.30.0/abcdef0', 'Lodestar'],
    ['js-libp2p/2.10.0', 'Lodestar'],
    ['Grandine/1.1.1-abcdef0/x86_64-linux', 'Grandine'],
    ['erigon/caplin', 'Caplin'],
    ['Caplin', 'Caplin'],
    ['rust-libp2p/0.44.2', 'unknown'],
    ['lighthouse-fork/1', 'unknown'],
    [' Prysm', 'unknown'],
    ['', 'unknown'],
    ['unknown', 'unknown'],
    ['__proto__', 'unknown'],
    ['constructor', 'unknown'],
  ])('%j is %s', (agent, client) => {
    expect(clientOf(agent)).toBe(client);
  });

  it('is one of the list, whatever a stranger calls itself', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (agent) => CLIENTS.includes(clientOf(agent))));
    expect(clientOf(`prysm/${'x'.repeat(10_000)}`)).toBe('Prysm');
  });
});

describe('the list of failures', () => {
  it('says of each cause, and of nothing else, when to try again', () => {
    expect(Object.keys(RETRY_CLASS).sort()).toEqual([...CAUSES].sort());
    expect(new Set(CAUSES).size).toBe(CAUSES.length);
    expect(new Set(STAGES).size).toBe(STAGES.length);
  });

  it('waits for a new record only where nothing else could help', () => {
    const waiting = Object.entries(RETRY_CLASS).flatMap(([cause, retry]) => (retry === 'new-record' ? [cause] : []));
    expect(waiting.sort()).toEqual([
      'irrelevant_network',
      'no_address',
      'no_transport',
      'peer_id_mismatch',
      'private_address',
      'self',
      'wrong_fork',
    ]);
  });

  it('bounds the detail', () => {
    expect(failure('dial', 'refused', 'x'.repeat(10_000)).detail).toHaveLength(200);
    expect(failure('dial', 'refused')).toEqual({ stage: 'dial', cause: 'refused' });
  });
});

describe('event ids', () => {
  it('number the events of one run from 0 without gaps', () => {
    const next = eventIds();
    const parsed = Array.from({ length: 5 }, () => parseEventId(next()));
    expect(parsed.map((id) => id?.sequence)).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(parsed.map((id) => id?.producer)).size).toBe(1);
    expect(parseEventId(eventIds()())?.producer).not.toBe(parsed[0]?.producer);
  });

  it.each([
    ['a:0', { producer: 'a', sequence: 0 }],
    ['A-_9:9007199254740991', { producer: 'A-_9', sequence: 9_007_199_254_740_991 }],
    ['a:9007199254740992', null],
    ['a:01', null],
    ['a:-1', null],
    ['a:', null],
    [':1', null],
    ['a:1:1', null],
    ['a:1\n', null],
    ['é:1', null],
    [`${'a'.repeat(65)}:1`, null],
    ['', null],
  ])('%j', (text, expected) => {
    expect(parseEventId(text)).toEqual(expected);
  });

  it('of events without one tell apart by subject and bytes, and never look like ours', () => {
    const ids = [
      contentEventId('a', Buffer.from('b')),
      contentEventId('b', Buffer.from('b')),
      contentEventId('a', Buffer.from('c')),
      contentEventId('ab', Buffer.from('')),
    ];
    expect(new Set(ids).size).toBe(4);
    expect(ids[0]).toBe(contentEventId('a', Buffer.from('b')));
    expect(ids.map(parseEventId)).toEqual([null, null, null, null]);
  });
});

describe('peer addresses', () => {
  it.each([
    ['/ip4/54.184.85.102/tcp/13000', { ip: '54.184.85.102', port: 13_000 }],
    ['/ip4/1.2.3.4/udp/9001/quic-v1', { ip: '1.2.3.4', port: 9_001 }],
    ['/ip6/2001:db8::1/tcp/9000', { ip: '2001:db8::1', port: 9_000 }],
    ['/ip4/1.2.3.4/tcp/9000/p2p/16Uiu2', { ip: '1.2.3.4', port: 9_000 }],
    ['/ip4/1.2.3.4/tcp/0', null],
    ['/ip4/1.2.3.4/tcp/65536', null],
    ['/ip4/1.2.3.400/tcp/1', null],
    ['/ip4/::1/tcp/1', null],
    ['/ip6/1.2.3.4/tcp/1', null],
    ['/dns4/example.org/tcp/1', null],
    ['/ip4/1.2.3.4/tcp/1x', null],
    ['/ip4/1.2.3.4', null],
    ['', null],
  ])('%s', (multiaddr, expected) => {
    expect(parsePeerAddress(multiaddr)).toEqual(expected && { multiaddr, ...expected });
  });

  it('are read whatever the text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parsePeerAddress(text)));
  });
});
