import { describe, expect, it } from 'vitest';
import type { CrowdLimits } from '../../src/consensus/address-policy.ts';
import type { NodeAddress, NodeRecord } from '../../src/consensus/node-record.ts';
import { NOBODY, parseOptOut } from '../../src/consensus/opt-out.ts';
import { type Admission, type AdmissionOptions, createAdmission } from '../../src/streams/admission.ts';
import { NETWORK, nodeRecord } from '../support/streams/network.ts';

const PUBLIC = { ...NETWORK, isPublic: true, dialsAnyAddress: false };
const WIDE: CrowdLimits = { perIp: 1_000, perPrefix: 1_000 };

function admission(changed: Partial<AdmissionOptions> = {}): Admission {
  return createAdmission({
    network: PUBLIC,
    optOut: NOBODY,
    entries: WIDE,
    asked: WIDE,
    isKnown: () => true,
    ...changed,
  });
}

const tcp = (ip: string, port = 9_000): NodeAddress => ({
  transport: 'tcp',
  family: ip.includes(':') ? 6 : 4,
  ip,
  port,
});

/** A node that lives at this IP address. */
function at(ip: string, name = ip, fields: Partial<NodeRecord> = {}): NodeRecord {
  return nodeRecord(name, { addresses: [tcp(ip)], udp: [{ ip, port: 9_000 }], ...fields });
}

describe('the verdict on a record', () => {
  it('leaves the public addresses, in their order, and finds nothing wrong', () => {
    const record = at('203.0.113.1', 'a', {
      addresses: [
        { transport: 'quic', family: 4, ip: '8.8.4.4', port: 9_001 },
        tcp('10.0.0.1'),
        tcp('8.8.4.4'),
        tcp('2606:4700::1'),
        tcp('fe80::1'),
      ],
    });
    expect(admission().judge(record)).toEqual({
      admitted: true,
      addresses: ['/ip4/8.8.4.4/udp/9001/quic-v1', '/ip4/8.8.4.4/tcp/9000', '/ip6/2606:4700::1/tcp/9000'],
      problem: null,
    });
  });

  it.each(['10.1.2.3', '192.168.0.1', '127.0.0.1', '169.254.1.1', '100.64.0.1', '0.0.0.0', '224.0.0.1', '::1'])(
    'on one at %s alone: admitted, never dialled, and named',
    (ip) => {
      expect(admission().judge(at(ip))).toMatchObject({
        admitted: true,
        addresses: [],
        problem: { stage: 'resolve', cause: 'private_address' },
      });
    },
  );

  it('on one without an address names that', () => {
    const verdict = admission().judge(at('8.8.4.4', 'a', { addresses: [] }));
    expect(verdict).toMatchObject({
      admitted: true,
      addresses: [],
      problem: { stage: 'resolve', cause: 'no_address' },
    });
  });

  it('on one with malformed entries names them, and uses the rest', () => {
    const verdict = admission().judge(at('8.8.4.4', 'a', { malformed: ['attnets', 'nfd'] }));
    expect(verdict).toEqual({
      admitted: true,
      addresses: ['/ip4/8.8.4.4/tcp/9000'],
      problem: { stage: 'resolve', cause: 'bad_response', detail: 'wrong length of attnets, nfd' },
    });
  });

  it('is by loopback alone on a network that is not public, unless any address is wanted', () => {
    const records = [at('127.3.2.1'), at('10.0.0.1'), at('8.8.4.4')];
    const addressesOn = (network: AdmissionOptions['network']) =>
      records.map((record) => admission({ network }).judge(record).addresses.length);
    expect(addressesOn({ ...NETWORK, dialsAnyAddress: false })).toEqual([1, 0, 0]);
    expect(addressesOn(NETWORK)).toEqual([1, 1, 1]);
  });
});

describe('peers at one place', () => {
  const crowded = { admitted: false, addresses: [], problem: { stage: 'resolve', cause: 'resource_limited' } };

  it('are as many as there is room for at the address', () => {
    const { judge } = admission({ entries: { perIp: 3, perPrefix: 100 } });
    const verdicts = ['a', 'b', 'c', 'd', 'e'].map((name) => judge(at('8.8.4.4', name)));
    expect(verdicts.map(({ admitted }) => admitted)).toEqual([true, true, true, false, false]);
    expect(verdicts[3]).toMatchObject(crowded);
    expect(judge(at('8.8.4.5', 'f')).admitted).toBe(true);
    // One that lives there already may come again.
    expect(judge(at('8.8.4.4', 'b', { sequence: 2n })).admitted).toBe(true);
  });

  it.each([
    ['/24', ['8.8.4.1', '8.8.4.2', '8.8.4.3'], '8.8.5.1'],
    ['/64', ['2606:4700::1', '2606:4700::2:1', '2606:4700::3'], '2606:4700:0:1::1'],
  ])('are as many as there is room for in the %s', (_, [first = '', second = '', third = ''], elsewhere) => {
    const { judge } = admission({ entries: { perIp: 100, perPrefix: 2 } });
    expect(judge(at(first)).admitted).toBe(true);
    expect(judge(at(second)).admitted).toBe(true);
    expect(judge(at(third))).toMatchObject(crowded);
    expect(judge(at(elsewhere)).admitted).toBe(true);
  });

  it('make room once they are forgotten, and only then', () => {
    const known = new Set(['a', 'b']);
    const { judge } = admission({
      entries: { perIp: 2, perPrefix: 100 },
      isKnown: (peerId) => known.has(peerId),
    });
    for (const name of ['a', 'b']) expect(judge(at('8.8.4.4', name)).admitted).toBe(true);
    expect(judge(at('8.8.4.4', 'c'))).toMatchObject(crowded);
    known.delete('a');
    known.add('c');
    expect(judge(at('8.8.4.4', 'c')).admitted).toBe(true);
    expect(judge(at('8.8.4.4', 'a'))).toMatchObject(crowded);
  });

  it('take no room when they have no address that is dialled', () => {
    const { judge } = admission({ entries: { perIp: 1, perPrefix: 1 } });
    for (const name of ['a', 'b', 'c']) expect(judge(at('10.0.0.1', name)).admitted).toBe(true);
  });
});

describe('who is asked in a round', () => {
  it('is whoever has a discv5 address that may be contacted', () => {
    const { mayAsk } = admission();
    expect(mayAsk(at('8.8.4.4'))).toBe('yes');
    expect(mayAsk(at('10.0.0.1'))).toBe('no');
    expect(mayAsk(at('8.8.4.4', 'a', { udp: [] }))).toBe('no');
  });

  it('are so many of one address and of one neighbourhood, and again as many in the next round', () => {
    const { mayAsk, beginRound } = admission({ asked: { perIp: 2, perPrefix: 3 } });
    const round = () => [
      ...['a', 'b', 'c'].map((name) => mayAsk(at('8.8.4.4', name))),
      ...['d', 'e'].map((name) => mayAsk(at('8.8.4.5', name))),
      mayAsk(at('8.8.5.1', 'f')),
    ];
    const verdicts = ['yes', 'yes', 'crowded', 'yes', 'crowded', 'yes'];
    expect(round()).toEqual(verdicts);
    beginRound();
    expect(round()).toEqual(verdicts);
  });
});

describe('who asked to be left alone', () => {
  const NODE_ID = '4da989e20a505d78c3a27b728b2b03ccc761262f439cb8e47fe0aa4e89bc4aba';

  it.each([
    ['an address it is dialled at', '198.51.100.0/24', { addresses: [tcp('198.51.100.9')] }],
    ['an address it is asked at', '198.51.100.9', { udp: [{ ip: '198.51.100.9', port: 1 }] }],
    ['its node id', NODE_ID, { nodeId: NODE_ID }],
  ])('is declined by %s', (_, line, fields) => {
    const parsed = parseOptOut(line);
    if (!parsed.ok) throw new Error(parsed.reason);
    const { declines } = admission({ optOut: parsed.value });
    expect(declines(at('8.8.4.4', 'a', fields))).toBe(true);
    expect(declines(at('8.8.4.4', 'a'))).toBe(false);
  });
});
