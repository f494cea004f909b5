import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { setBits } from '../../../../src/consensus/bits.ts';
import { parseTopic } from '../../../../src/consensus/subnets.ts';
import { type Devnet, startDevnet } from '../../../../src/devnet/devnet.ts';
import type { Host } from '../../../../src/io/network/libp2p/host.ts';
import { aHost, EMPTY_STATUS, NOTHING_HELD } from '../../../support/network/test-host.ts';
import { tempDir } from '../../../support/temp-dir.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
let devnet: Devnet;
let host: Host;
let digest: string;

beforeAll(async () => {
  dir = await tempDir();
  devnet = await startDevnet({ nodes: 6, seed: 11, slotMs: 250, dir: dir.path });
  digest = devnet.network.fork_digest;
  host = await aHost({ ownStatus: () => ({ ...EMPTY_STATUS, forkDigest: digest }) });
});
afterAll(async () => {
  await host.stop();
  await devnet.stop();
  await dir.remove();
});

describe('a visit to a node of the devnet', () => {
  it('learns what is true of each of them', async () => {
    for (const node of devnet.network.nodes) {
      const address = node.multiaddrs[0]?.replace(/\/p2p\/.*/, '') ?? '';
      const dialled = await firstValueFrom(host.dial({ peerId: node.peer_id, addresses: [address], enr: node.enr }));
      if (!dialled.ok) throw new Error(`${node.client}: ${dialled.failure.detail}`);
      const link = dialled.value;
      expect(link).toMatchObject({ peerId: node.peer_id, address, direction: 'outbound', transport: 'tcp' });

      const own = { ...ownStatus(), forkDigest: digest };
      const [identity, status] = await Promise.all([firstValueFrom(link.identify()), firstValueFrom(link.status(own))]);
      const metaData = await firstValueFrom(link.metaData());
      expect(identity).toMatchObject({ ok: true, value: { agent: node.agent } });
      expect(status).toMatchObject({ ok: true, value: { forkDigest: digest } });
      if (!metaData.ok) throw new Error(metaData.failure.detail);
      expect(metaData.value.custodyGroupCount).toBe(node.custody_group_count);
      expect(setBits(metaData.value.attnets)).toEqual(node.long_lived_subnets);

      const hello = await firstValueFrom(link.subscriptions$);
      const subscribed = hello.changes.flatMap(({ topic }) => parseTopic(topic) ?? []);
      const subnets = subscribed.flatMap((topic) => (topic.kind === 'attestation' ? [topic.subnet] : []));
      expect(subnets).toEqual(expect.arrayContaining([...node.long_lived_subnets]));
      link.leave('visited');
    }
    await vi.waitFor(async () => {
      expect(await host.held()).toEqual(NOTHING_HELD);
    });
  });
});

function ownStatus() {
  const root = '00'.repeat(32);
  return { finalizedRoot: root, finalizedEpoch: 0, headRoot: root, headSlot: 0, earliestAvailableSlot: 0 };
}
