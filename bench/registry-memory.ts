import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createRegistry } from '../src/actors/registry.ts';
import { networkClock } from '../src/consensus/clock.ts';
import { failure } from '../src/consensus/failure.ts';

/**
 * What the registry costs: megabytes of heap for so many peers, and milliseconds to start an epoch and to hand all of
 * them out. `node bench/registry-memory.ts [peers]`
 */

const peers = Number(process.argv[2] ?? 50_000);
const MAINNET = { genesisTimeMs: 0, slotMs: 12_000, slotsPerEpoch: 32 };
const EPOCHS = 5;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const heapBytes = () => {
  collectGarbage();
  return process.memoryUsage().heapUsed;
};
const rounded = (value: number) => Number(value.toFixed(1));
const hex = (text: string) => createHash('sha512').update(text).digest('hex');

const clock = networkClock(MAINNET);
const before = heapBytes();
let woken = 0;
const registry = createRegistry({
  clock,
  maxPeers: peers,
  perform: () => undefined,
  onWake: () => {
    woken++;
  },
});

/** Peer ids and records as long as real ones: 53 and about 260 characters. */
for (let index = 0; index < peers; index++) {
  registry.send(`16Uiu2HAm${hex(`id ${index}`).slice(0, 44)}`, {
    type: 'discovered',
    enr: `enr:-${hex(`a ${index}`)}${hex(`b ${index}`)}`.slice(0, 260),
    enrSequence: BigInt(index + 1),
    addresses: [`/ip4/10.${index % 256}.0.1/tcp/9000`, `/ip4/10.${index % 256}.0.1/udp/9001/quic-v1`],
    nowMs: 0,
  });
}
const known = heapBytes();

let tickMs = 0;
let handOutMs = 0;
for (let epoch = 1; epoch <= EPOCHS; epoch++) {
  const tickBegan = performance.now();
  registry.tick(epoch);
  tickMs = Math.max(tickMs, performance.now() - tickBegan);
  const nowMs = clock.epochStartMs(epoch + 1) - 1;
  const handOutBegan = performance.now();
  const taken: string[] = [];
  for (let peer = registry.takeDue(nowMs); peer !== null; peer = registry.takeDue(nowMs)) taken.push(peer.peerId);
  handOutMs = Math.max(handOutMs, performance.now() - handOutBegan);
  for (const [index, peerId] of taken.entries()) {
    registry.send(
      peerId,
      index % 4 === 0
        ? {
            type: 'failed',
            failure: failure('dial', 'timeout', `no answer in 10000 ms (${index})`),
            dialed: [],
            nowMs,
            epochMs: clock.epochMs,
          }
        : { type: 'observed', nowMs, epoch, agent: `Lighthouse/v8.0.${index % 50}-abcdef0/x86_64-linux` },
    );
  }
  registry.takeChanges();
}
const visited = heapBytes();

console.log(
  JSON.stringify({
    peers: registry.counts(0).known,
    woken,
    heap_mb_known: rounded((known - before) / 1e6),
    heap_mb_visited: rounded((visited - before) / 1e6),
    heap_mb_per_50000: rounded(((visited - before) / 1e6) * (50_000 / peers)),
    slowest_tick_ms: rounded(tickMs),
    slowest_hand_out_ms: rounded(handOutMs),
  }),
);
