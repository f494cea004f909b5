import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseOptOut } from '../../src/consensus/opt-out.ts';

const PEER = '16Uiu2HAmHQbC4bRTKZ1ERziAgL9hnjPVYJjJgR7SK39tqzMwQ4TD';
const NODE = '4da989e20a505d78c3a27b728b2b03ccc761262f439cb8e47fe0aa4e89bc4aba';
const OTHER = {
  peerId: '16Uiu2HAm9dqnTSYPpqFevmJXXvRUavRzcEuYPVS2htkoQLumpu4w',
  nodeId: 'ab'.repeat(32),
  ips: ['203.0.113.7'],
};

function listOf(...lines: string[]) {
  const parsed = parseOptOut(lines.join('\n'));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

describe('the opt-out list', () => {
  test.each([
    ['peer id', PEER, { ...OTHER, peerId: PEER }],
    ['node id', NODE, { ...OTHER, nodeId: NODE }],
    ['node id with 0x in capitals', `0x${NODE.toUpperCase()}`, { ...OTHER, nodeId: NODE }],
    ['IPv4 address', '198.51.100.4', { ...OTHER, ips: ['203.0.113.7', '198.51.100.4'] }],
    ['IPv4 network', '198.51.100.0/24', { ...OTHER, ips: ['198.51.100.255'] }],
    ['IPv6 network', '2001:db8::/32', { ...OTHER, ips: ['2001:db8:1::9'] }],
    ['IPv4 network, against a mapped address', '198.51.100.0/24', { ...OTHER, ips: ['::ffff:198.51.100.9'] }],
  ])('covers by %s', (_, line, peer) => {
    const list = listOf('# operators who asked', '', `  ${line}  # since May`);
    expect(list.size).toBe(1);
    expect(list.covers(peer)).toBe(true);
    expect(list.covers(OTHER)).toBe(false);
  });

  test('is refused as a whole when a line makes no sense, and says which', () => {
    expect(parseOptOut(`${PEER}\nexample.org\n`)).toEqual({
      ok: false,
      reason: 'line 2 is neither a peer id, a node id, an address nor a network',
    });
  });

  test('never throws, whatever is in the file and whoever is asked about', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, ip) => {
        const parsed = parseOptOut(text);
        if (parsed.ok) expect(typeof parsed.value.covers({ peerId: text, nodeId: null, ips: [ip] })).toBe('boolean');
      }),
    );
  });
});
