import { readFile } from 'node:fs/promises';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import type { EnrReport } from '../../src/commands/enr-report.ts';
import { BOOTNODES } from '../../src/consensus/bootnodes.ts';
import { inProcess } from '../support/commands/in-process.ts';
import { enrWith, entriesOf } from '../support/consensus/raw-enr.ts';

/** The example of EIP-778. */
const EIP_778 =
  'enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8';
const EIP_778_NODE_ID = 'a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7';

const sample = await readFile(new URL('../fixtures/valtrack-sample-2024-05.csv', import.meta.url), 'utf8');
/** Record and peer id, as another program wrote them. */
const SAMPLE = sample
  .split('\n')
  .slice(1)
  .map((line) => line.split(','))
  .flatMap(([enr = '', peerId = '']): [string, string][] => (enr.length > 4 ? [[enr, peerId]] : []));

async function decoded(enr: string): Promise<EnrReport> {
  const { code, stdout, stderr } = await inProcess('enr', enr, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout.trimEnd()).not.toContain('\n');
  return JSON.parse(stdout) as EnrReport;
}

/** An address in a report, as the record has it: transport, address bytes and port. */
function bytesOfMultiaddr(multiaddr: string): string {
  const [, , ip = '', protocol, port] = multiaddr.split('/');
  const transport = multiaddr.includes('/quic-v1/p2p/') ? 'quic' : protocol;
  return `${transport} ${Buffer.from(ipaddr.parse(ip).toByteArray()).toString('hex')} ${port}`;
}

/** What a record says, read without the library that the program uses. */
function expected(enr: string) {
  const { sequence, entries } = entriesOf(enr);
  const hex = (key: string) => entries.get(key)?.toString('hex');
  const number = (key: string) => (entries.has(key) ? Number(`0x${hex(key) || '0'}`) : undefined);
  const bits = (key: string, count: number) => {
    const bytes = entries.get(key);
    return (
      bytes && Array.from({ length: count }, (_, bit) => bit).filter((bit) => (bytes[bit >> 3] ?? 0) & (1 << (bit % 8)))
    );
  };
  const located = (transport: string) =>
    (
      [
        ['ip', number(transport)],
        ['ip6', number(`${transport}6`) ?? number(transport)],
      ] as const
    ).flatMap(([ip, port]) => (entries.has(ip) && port ? [`${transport} ${hex(ip)} ${port}`] : []));
  const eth2 = entries.get('eth2');
  const nextForkEpoch = eth2?.readBigUInt64LE(8);
  return {
    seq: sequence.toString(),
    addresses: [...located('quic'), ...located('tcp')],
    udp: located('udp').map((text) => text.replace('udp ', '')),
    eth2: eth2 && {
      fork_digest: eth2.toString('hex', 0, 4),
      next_fork_version: eth2.toString('hex', 4, 8),
      next_fork_epoch: nextForkEpoch === 2n ** 64n - 1n ? null : String(nextForkEpoch),
    },
    nfd: hex('nfd') ?? null,
    attnets: bits('attnets', 64) ?? null,
    syncnets: bits('syncnets', 4) ?? null,
    custody_group_count: number('cgc') ?? null,
  };
}

function said(report: EnrReport): ReturnType<typeof expected> {
  const { eth2 } = report;
  return {
    seq: report.seq,
    addresses: report.multiaddrs.map(bytesOfMultiaddr),
    udp: report.udp.map((text) => {
      const [, ip = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(text) ?? [];
      return `${Buffer.from(ipaddr.parse(ip).toByteArray()).toString('hex')} ${port}`;
    }),
    eth2: eth2
      ? {
          fork_digest: eth2.fork_digest,
          next_fork_version: eth2.next_fork_version,
          next_fork_epoch: eth2.next_fork_epoch,
        }
      : undefined,
    nfd: report.nfd,
    attnets: report.attnets && [...report.attnets],
    syncnets: report.syncnets && [...report.syncnets],
    custody_group_count: report.custody_group_count,
  };
}

describe('valtrack enr --json', () => {
  it('says of every record that real nodes had what another decoder reads in it', async () => {
    expect(SAMPLE.length).toBeGreaterThan(50);
    for (const [enr, peerId] of SAMPLE) {
      const report = await decoded(enr);
      expect(said(report), enr).toEqual(expected(enr));
      expect(report).toMatchObject({ valid: true, enr, peer_id: peerId });
      expect(report.multiaddrs.every((multiaddr) => multiaddr.endsWith(`/p2p/${peerId}`))).toBe(true);
    }
  });

  it.each(Object.entries(BOOTNODES))(
    'says of the bootnodes of %s what another decoder reads in them',
    async (_, enrs) => {
      for (const enr of enrs) expect(said(await decoded(enr)), enr).toEqual(expected(enr));
    },
  );

  it('says of the example of EIP-778 what the standard says', async () => {
    expect(await decoded(EIP_778)).toMatchObject({
      seq: '1',
      node_id: EIP_778_NODE_ID,
      udp: ['127.0.0.1:30303'],
      multiaddrs: [],
      public: false,
      eth2: null,
      attnets: null,
    });
  });

  it('knows fork digest 6a95a1a9 for Deneb on mainnet, which has passed', async () => {
    const ofDeneb = SAMPLE.filter(([enr]) => expected(enr).eth2?.fork_digest === '6a95a1a9');
    expect(ofDeneb.length).toBeGreaterThan(50);
    expect((await decoded(ofDeneb[0]?.[0] ?? '')).eth2).toMatchObject({
      network: 'mainnet',
      fork: 'deneb',
      current: false,
    });
  });

  it('knows no network for a digest of none', async () => {
    const eth2 = Buffer.from(`deadbeef01020304${'ff'.repeat(8)}`, 'hex');
    expect((await decoded(enrWith({ eth2 }))).eth2).toEqual({
      fork_digest: 'deadbeef',
      next_fork_version: '01020304',
      next_fork_epoch: null,
      network: null,
      fork: null,
      current: null,
    });
  });

  it.each([
    [4, { low: 0, high: 0 }],
    [8, { low: 1, high: 9 * 32 - 1 }],
    [20, { low: 640, high: 671 }],
    [64, null],
    [128, null],
  ])('reads custody group count %d', async (cgc, stake) => {
    expect(await decoded(enrWith({ cgc: Uint8Array.of(cgc) }))).toMatchObject({
      custody_group_count: cgc,
      stake_eth: stake,
    });
  });

  it('works before and after the command', async () => {
    const after = await inProcess('enr', EIP_778, '--json');
    expect(await inProcess('--json', 'enr', EIP_778)).toEqual(after);
    expect(await inProcess('enr', '--json', EIP_778)).toEqual(after);
  });
});

describe('valtrack enr', () => {
  it('shows a page with every field', async () => {
    const enr = enrWith({
      attnets: Uint8Array.of(0b1000_0001, 0, 0, 0, 0, 0, 0, 0),
      cgc: Uint8Array.of(20),
      eth2: Buffer.from(`6a95a1a905000000${'00'.repeat(5)}010000`, 'hex'),
      ip: Uint8Array.of(8, 8, 4, 4),
      nfd: Buffer.from('0badcafe', 'hex'),
      syncnets: Uint8Array.of(0b0110),
      tcp: Buffer.from('2328', 'hex'),
      udp: Buffer.from('2329', 'hex'),
    });
    const { code, stdout } = await inProcess('enr', enr);
    expect(code).toBe(0);
    const rows = Object.fromEntries(stdout.split('\n').map((line) => [line.slice(0, 12).trim(), line.slice(12)]));
    expect(rows).toMatchObject({
      signature: 'valid',
      sequence: '1',
      libp2p: expect.stringMatching(/^\/ip4\/8\.8\.4\.4\/tcp\/9000\/p2p\/16Uiu2HA\w+$/),
      discv5: '8.8.4.4:9001',
      reachable: 'public addresses only',
      fork: '6a95a1a9: mainnet deneb, not the current one',
      // 2^40, little-endian.
      'next fork': 'epoch 1099511627776, version 05000000, digest 0badcafe',
      attnets: '0 7',
      syncnets: '1 2',
      custody: '20 groups: 640 to 671 ETH attached at some time',
    });
  });

  it('says what a record does not have', async () => {
    const { stdout } = await inProcess('enr', enrWith({}));
    expect(stdout).toContain('no address: it can only dial others');
    expect(stdout).toContain('no eth2 entry: not a beacon node');
    expect(stdout).toMatch(/^custody +missing$/m);
  });

  it.each([
    ['text that is none', 'enr:nonsense'],
    ['another scheme', 'enode://ab@1.2.3.4:5'],
    ['a changed letter', EIP_778.replace('QHCY', 'QHCZ')],
    ['a cut', EIP_778.slice(0, -4)],
    ['what is too long', `${EIP_778}${'A'.repeat(400)}`],
  ])('refuses %s with exit code 1, in one line', async (_, enr) => {
    const forPeople = await inProcess('enr', enr);
    expect(forPeople).toMatchObject({ code: 1, stdout: '' });
    expect(forPeople.stderr).toMatch(/^valtrack: [^\n]+\n$/);
    const json = await inProcess('enr', enr, '--json');
    expect(json).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(json.stdout)).toEqual({ valid: false, reason: expect.stringMatching(/\S/) });
  });
});
