import { fork } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { firstValueFrom } from 'rxjs';
import { encodeRequest } from '../src/io/network/reqresp/payload.ts';
import { STATUS_PROTOCOLS } from '../src/io/network/reqresp/protocols.ts';
import { barePeer, type Carrier, collect } from '../test/support/network/bare-peer.ts';
import { aHost, QUIC, TCP } from '../test/support/network/test-host.ts';

/**
 * What strangers leave behind who dial, are answered and are let go, in bytes of heap after collection: each has an identity of its
 * own and a gossip hello, asks for Status, is identified, and every other one breaks off. `node bench/inbound-memory.ts [identities] [tcp|quic]`
 */

const STEPS = 8;
const AT_A_TIME = 8;
/** By then every connection has been left, and gossip's scores have been gone through. */
const SETTLE_MS = 5_000;
const STATUS_BYTES = 92;
const TOPICS = [0, 1, 2].map((subnet) => `/eth2/8c9f62fe/beacon_attestation_${subnet}/ssz_snappy`);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const carrier: Carrier = process.argv[3] === 'quic' ? 'quic' : 'yamux';
if (process.send === undefined) await measure(Number(process.argv[2] ?? 2_000));
else dialAsStrangers(process.argv.slice(4));

async function measure(identities: number): Promise<void> {
  const host = await aHost({ listen: [carrier === 'quic' ? QUIC : TCP] });
  let left = 0;
  host.inbound$.subscribe((link) => {
    left++;
    firstValueFrom(link.identify()).then(() => link.leave('declined'));
  });
  // In a process of their own: what they cost is not what they leave behind here.
  const strangers = fork(new URL(import.meta.url), ['', carrier, ...host.addresses]);
  const heaps: { readonly connections: number; readonly heapBytes: number }[] = [];
  for (let step = 0; step <= STEPS; step++) {
    if (step > 0) {
      const done = new Promise((resolve) => strangers.once('message', resolve));
      strangers.send(identities / STEPS);
      await done;
    }
    await setTimeout(SETTLE_MS);
    collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    heaps.push({ connections: left, heapBytes: heapUsed });
    const held = Object.entries(await host.held()).map(([what, count]) => `${what} ${count}`);
    console.log(`${left} connections: heap ${mb(heapUsed)} MB, RSS ${mb(rss)} MB; ${held.join(', ')}`);
  }
  // The first ones load code and fill caches.
  const [first, last] = [heaps[2], heaps.at(-1)];
  if (first !== undefined && last !== undefined) {
    const perConnection = (last.heapBytes - first.heapBytes) / (last.connections - first.connections);
    console.log(`for good, after the first quarter: ${Math.round(perConnection)} bytes a connection`);
  }
  strangers.disconnect();
  await host.stop();
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function dialAsStrangers(addresses: readonly string[]): void {
  const visit = async (index: number) => {
    const peer = await barePeer({ muxer: carrier, topics: TOPICS });
    try {
      const connection = await peer.dial(addresses);
      const stream = await connection.newStream([...STATUS_PROTOCOLS.keys()]);
      await Promise.all([stream.sink([encodeRequest(new Uint8Array(STATUS_BYTES))]), collect(stream.source)]);
      if (index % 2 === 0) connection.abort(new Error('break off'));
      else await new Promise<void>((resolve) => peer.libp2p.addEventListener('peer:disconnect', () => resolve()));
    } catch (error) {
      console.error(error);
    } finally {
      await peer.stop();
    }
  };
  process.on('message', async (count: number) => {
    let next = 0;
    const takeTurns = async () => {
      while (next < count) await visit(next++);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, takeTurns));
    process.send?.('done');
  });
}
