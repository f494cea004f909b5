import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SignableENR } from '@chainsafe/enr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProbeReport } from '../../src/commands/probe-report.ts';
import { type Devnet, startDevnet } from '../../src/devnet/devnet.ts';
import { inProcess } from '../support/commands/in-process.ts';
import { valtrack, valtrackDone } from '../support/e2e/valtrack.ts';
import { barePeer } from '../support/network/bare-peer.ts';
import { tempDir } from '../support/temp-dir.ts';

const PEER = '16Uiu2HAm9dqnTSYPpqFevmJXXvRUavRzcEuYPVS2htkoQLumpu4w';

let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;

beforeAll(async () => {
  dir = await tempDir();
  devnet = await startDevnet({ nodes: 5, seed: 5, slotMs: 500, dir: dir.path });
});
afterAll(async () => {
  await devnet.stop();
  await dir.remove();
});

const probing = (target: string, ...more: string[]) => ['probe', target, '--network', devnet.networkPath, ...more];

async function probed(target: string, ...more: string[]): Promise<{ code: number; report: ProbeReport }> {
  const { code, stdout } = await inProcess(...probing(target, '--log-level', 'silent', ...more));
  return { code, report: JSON.parse(stdout) as ProbeReport };
}

describe('valtrack probe', () => {
  it('tells of a node by its record what is true of it', async () => {
    for (const node of devnet.network.nodes) {
      const { code, report } = await probed(node.enr, '--dwell', '300ms');
      expect(code).toBe(0);
      const { fork_digest: digest } = devnet.network;
      expect(report).toMatchObject({
        observed: true,
        peer_id: node.peer_id,
        enr: node.enr,
        failure: null,
        client: node.client,
        client_version: node.agent,
        transport: node.multiaddrs.some((address) => address.includes('quic-v1')) ? 'quic' : 'tcp',
        direction: 'outbound',
        status: { fork_digest: digest },
        metadata: { attnets: node.long_lived_subnets, custody_group_count: node.custody_group_count },
      });
      expect(node.multiaddrs).toContain(`${report.multiaddr}/p2p/${node.peer_id}`);
      const { short_lived_subnets: shortLived, subscribed_subnets: subscribed } = report;
      expect(subscribed).toEqual(expect.arrayContaining([...node.long_lived_subnets]));
      const others = subscribed?.filter((subnet) => !node.long_lived_subnets.includes(subnet));
      expect(shortLived).toEqual(others);
      if (node.validators === 0) expect(shortLived).toEqual([]);
      const [from, to] = [report.observed_from ?? Number.NaN, report.observed_to ?? Number.NaN];
      expect(to - from).toBeGreaterThanOrEqual(300);
      expect(to - from).toBeLessThan(5_000);
    }
  });

  it('takes a multiaddr as well, and then knows no record; and says nothing else when it is a process', async () => {
    const [node] = devnet.network.nodes;
    const { code, stdout, said } = await valtrackDone(probing(node?.multiaddrs[0] ?? '', '--json'));
    expect({ code, said }).toEqual({ code: 0, said: [] });
    expect(JSON.parse(stdout)).toMatchObject({
      observed: true,
      peer_id: node?.peer_id,
      enr: null,
      client_version: node?.agent,
    });
  });

  it('ends with exit code 1 and the reason when nobody listens', async () => {
    // The discard port.
    const { code, report } = await probed(`/ip4/127.0.0.1/tcp/9/p2p/${PEER}`);
    expect(code).toBe(1);
    expect(report).toMatchObject({
      observed: false,
      peer_id: PEER,
      failure: { stage: 'dial', cause: 'refused' },
      client: 'unknown',
      client_version: null,
      status: null,
      metadata: null,
      subscribed_subnets: null,
      observed_from: null,
    });
  });

  it('ends with exit code 1 when somebody else answers', async () => {
    const [node] = devnet.network.nodes;
    const { code, report } = await probed(node?.multiaddrs[0]?.replace(/p2p\/.*/, `p2p/${PEER}`) ?? '');
    expect(code).toBe(1);
    expect(report.failure).toMatchObject({ stage: 'security', cause: 'peer_id_mismatch' });
  });

  it('names what was wrong with what the peer said, and keeps the rest', async () => {
    const topics = [3, 64].map((n) => `/eth2/${devnet.network.fork_digest}/beacon_attestation_${n}/ssz_snappy`);
    const peer = await barePeer({ topics });
    const { code, report } = await probed(`${peer.address}/p2p/${peer.peerId}`);
    expect(code).toBe(0);
    expect(report.subscribed_subnets).toEqual([3]);
    expect(report.problems).toEqual([
      { stage: 'subscriptions', cause: 'bad_response', detail: expect.stringContaining('beacon_attestation_64') },
    ]);
    await peer.stop();
  });

  it('names what is wrong with the record, observed or not, and has an empty list when nothing is', async () => {
    const record = SignableENR.createFromPrivateKey(await generateKeyPair('secp256k1'));
    record.ip = '127.0.0.1';
    record.tcp = 9;
    record.set('attnets', new Uint8Array(4));
    const { code, report } = await probed(record.encodeTxt());
    expect(code).toBe(1);
    expect(report.failure).toMatchObject({ cause: 'refused' });
    expect(report.problems).toEqual([
      { stage: 'resolve', cause: 'bad_response', detail: expect.stringContaining('attnets') },
    ]);
    expect((await probed(devnet.network.nodes[0]?.enr ?? '')).report.problems).toEqual([]);
  });

  it('tells the peer whom to ask', async () => {
    // Of somebody who says nothing of subnets a probe waits to hear more.
    const peer = await barePeer({ topics: [`/eth2/${devnet.network.fork_digest}/beacon_attestation_3/ssz_snappy`] });
    const agents: (string | undefined)[] = [];
    peer.libp2p.addEventListener('peer:identify', ({ detail }) => agents.push(detail.agentVersion));
    await probed(`${peer.address}/p2p/${peer.peerId}`, '--contact', 'https://example.org/crawler');
    expect(agents).toEqual([expect.stringMatching(/^valtrack\/\d+\.\d+\.\d+\S* \(https:\/\/example\.org\/crawler\)$/)]);
    await peer.stop();
  });

  it('that is told to stop in the middle of a question remembers it, and ends as the signal ends it', async () => {
    const peer = await barePeer();
    const program = valtrack(probing(`${peer.address}/p2p/${peer.peerId}`), {
      env: { XDG_STATE_HOME: dir.path },
    });
    await peer.serve('/eth2/beacon_chain/req/status/2/ssz_snappy', () => {
      program.child.kill('SIGTERM');
    });
    await program.exited;
    expect(program.child.signalCode).toBe('SIGTERM');
    expect(program.stdout()).toBe('');
    const asked = JSON.parse(await readFile(join(dir.path, 'valtrack', 'probe', 'asked.json'), 'utf8')) as object[];
    expect(asked).toEqual([expect.objectContaining({ peerId: peer.peerId, status: [expect.any(Number)] })]);
    await peer.stop();
  });

  it.each([
    ['nonsense', /neither an enr: record nor a multiaddr/],
    ['enr:nonsense', /not a valid ENR/],
    ['/ip4/127.0.0.1/tcp/9000', /neither an enr: record nor a multiaddr/],
    ['/ip4/127.0.0.1/tcp/9000/p2p/nobody', /neither an enr: record nor a multiaddr/],
    [`/ip4/999.0.0.1/tcp/9000/p2p/${PEER}`, /neither an enr: record nor a multiaddr/],
    [`/tcp/9000/p2p/`, /neither an enr: record nor a multiaddr/],
  ])('refuses %s with exit code 2', async (target, message) => {
    const { code, stdout, stderr } = await inProcess(...probing(target));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^valtrack: [^\n]+\n$/);
    expect(stderr).toMatch(message);
  });

  it('has no devnet of its own', async () => {
    const { code, stderr } = await inProcess('probe', `/ip4/127.0.0.1/tcp/9/p2p/${PEER}`, '--network', 'devnet');
    expect(code).toBe(2);
    expect(stderr).toBe('valtrack: --network devnet names no running network; give the path of its network.json\n');
  });
});
