import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createForkLearning,
  type ForkClaim,
  QUORUM_PLACES,
  TAKEN_PATIENCE_EPOCHS,
} from '../../../src/consensus/forks/learning.ts';
import { FAR_FUTURE_EPOCH, type ForkStep, type Network } from '../../../src/consensus/network.ts';
import { builtInNetwork } from '../../../src/consensus/networks.ts';

/** Digests and epochs: the networks' own schedules, as the reference's table and eth-clients' configurations have them. */

/** A network as it was configured before its step at this epoch was known. */
function before(network: Network, epoch: number): Network {
  return { ...network, forkSteps: network.forkSteps.filter((step) => step.epoch < epoch) };
}

const BPO2 = 419_072;
const MAINNET = before(builtInNetwork('mainnet'), BPO2);
const GLOAS = 353_024;
const SEPOLIA = before(builtInNetwork('sepolia'), GLOAS);

const announcesBpo2: ForkClaim = {
  digest: 'cb0d1acc',
  nextVersion: '06000000',
  nextEpoch: BigInt(BPO2),
  nextDigest: '8c9f62fe',
};
const announcesGloas: ForkClaim = {
  digest: '74d01459',
  nextVersion: '90000076',
  nextEpoch: BigInt(GLOAS),
  nextDigest: '669e6c11',
};
const announcesNothing = (claim: ForkClaim): ForkClaim => ({
  ...claim,
  nextVersion: '06000000',
  nextEpoch: FAR_FUTURE_EPOCH,
  nextDigest: '00000000',
});

const places = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `place ${from + index}`);

function learning(network: Network, restored: readonly ForkStep[] = []) {
  const forks = createForkLearning({ network, restored });
  return {
    ...forks,
    say(tellers: readonly string[], claim: ForkClaim, epoch: number) {
      for (const place of tellers) forks.hear(place, claim, epoch);
    },
    last: () => forks.steps().at(-1),
  };
}

const MANY = 100;

describe('a step that most places announce', () => {
  it('is scheduled: one of blob parameters alone, which it finds', () => {
    const forks = learning(MAINNET);
    forks.say(places(MANY), announcesBpo2, 418_000);
    const step = {
      epoch: BPO2,
      name: 'fulu',
      forkVersion: '06000000',
      digest: '8c9f62fe',
      blobs: { epoch: BPO2, maxBlobsPerBlock: 21 },
    };
    expect(forks.advance(418_001)).toEqual({ kind: 'announced', step, places: MANY, of: MANY });
    expect(forks.last()).toEqual(step);
    expect(forks.advance(418_002)).toBeNull();
    expect(forks.steps().slice(0, -1)).toEqual(MAINNET.forkSteps);
  });

  it('is scheduled: a fork, with its version', () => {
    const forks = learning(SEPOLIA);
    forks.say(places(MANY), announcesGloas, GLOAS - 100);
    expect(forks.advance(GLOAS - 99)).toMatchObject({
      kind: 'announced',
      step: { epoch: GLOAS, name: 'gloas', forkVersion: '90000076', digest: '669e6c11' },
    });
    expect(forks.last()).toEqual(builtInNetwork('sepolia').forkSteps.at(-1));
  });

  it('is scheduled whichever version they name beside it', () => {
    // Where a fork follows the blob parameters, some clients name its version and others the current one.
    const forks = learning(MAINNET);
    forks.say(places(MANY / 2), announcesBpo2, 418_000);
    forks.say(places(MANY / 2, MANY), { ...announcesBpo2, nextVersion: '07000000' }, 418_000);
    forks.advance(418_001);
    expect(forks.last()).toMatchObject({ digest: '8c9f62fe', forkVersion: '06000000' });
  });

  it.each([
    ['no more than half of them', 50, announcesBpo2],
    ['a digest that does not follow from the genesis', MANY, { ...announcesBpo2, nextDigest: 'deadbeef' }],
    ['no digest', MANY, { ...announcesBpo2, nextDigest: null }],
    ['the digest of now', MANY, { ...announcesBpo2, nextDigest: announcesBpo2.digest }],
    ['an epoch that is over', MANY, { ...announcesBpo2, nextEpoch: 418_000n }],
    ['an epoch out of sight', MANY, { ...announcesBpo2, nextEpoch: FAR_FUTURE_EPOCH - 1n }],
    ['another fork than ours', MANY, { ...announcesBpo2, digest: '74d01459' }],
  ] as const)('is not with %s', (_, tellers, claim) => {
    const forks = learning(MAINNET);
    forks.say(places(MANY), announcesNothing(announcesBpo2), 418_000);
    forks.say(places(tellers), claim, 418_000);
    for (let epoch = 418_001; epoch < 418_010; epoch++) expect(forks.advance(epoch)).toBeNull();
    expect(forks.steps()).toEqual(MAINNET.forkSteps);
  });

  it.each([
    [true, QUORUM_PLACES.public],
    [false, QUORUM_PLACES.other],
  ])('needs so many places, however few there are (public %s: %i)', (isPublic, least) => {
    const forks = learning({ ...MAINNET, isPublic });
    forks.say(places(least - 1), announcesBpo2, 418_000);
    expect(forks.advance(418_001)).toBeNull();
    forks.say(places(least), announcesBpo2, 418_001);
    expect(forks.advance(418_002)).toMatchObject({ places: least, of: least });
  });

  it('is moved and withdrawn as they say', () => {
    const forks = learning(SEPOLIA);
    forks.say(places(MANY), announcesGloas, GLOAS - 100);
    forks.advance(GLOAS - 99);
    forks.say(places(60), { ...announcesGloas, nextEpoch: BigInt(GLOAS + 50) }, GLOAS - 98);
    expect(forks.advance(GLOAS - 98)).toMatchObject({ kind: 'announced', step: { epoch: GLOAS + 50 }, places: 60 });
    expect(forks.steps().length).toBe(SEPOLIA.forkSteps.length + 1);
    forks.say(places(60), announcesNothing(announcesGloas), GLOAS - 97);
    expect(forks.advance(GLOAS - 97)).toMatchObject({ kind: 'withdrawn', step: { epoch: GLOAS + 50 } });
    expect(forks.steps()).toEqual(SEPOLIA.forkSteps);
  });

  it('gives way to what is configured', () => {
    const network = builtInNetwork('sepolia');
    const forks = learning(network);
    forks.say(places(MANY), { ...announcesGloas, nextEpoch: BigInt(GLOAS - 50) }, GLOAS - 100);
    expect(forks.advance(GLOAS - 99)).toBeNull();
    expect(forks.steps()).toEqual(network.forkSteps);
  });

  it('is remembered, until the configuration knows better', () => {
    const forks = learning(SEPOLIA);
    forks.say(places(MANY), announcesGloas, GLOAS - 100);
    forks.advance(GLOAS - 99);
    expect(learning(SEPOLIA, forks.learnt()).last()?.digest).toBe('669e6c11');
    expect(learning(builtInNetwork('sepolia'), forks.learnt()).steps()).toEqual(builtInNetwork('sepolia').forkSteps);
  });
});

describe('a step that nobody announced', () => {
  const onGloas: ForkClaim = {
    digest: '669e6c11',
    nextVersion: '90000076',
    nextEpoch: FAR_FUTURE_EPOCH,
    nextDigest: '00000000',
  };

  it('is followed when most places have taken it for a while', () => {
    const forks = learning(SEPOLIA);
    forks.say(places(MANY), announcesNothing(announcesGloas), GLOAS - 1);
    expect(forks.advance(GLOAS)).toBeNull();
    forks.say(places(70), onGloas, GLOAS);
    for (let epoch = GLOAS; epoch < GLOAS + TAKEN_PATIENCE_EPOCHS; epoch++) expect(forks.advance(epoch)).toBeNull();
    expect(forks.advance(GLOAS + TAKEN_PATIENCE_EPOCHS)).toEqual({
      kind: 'taken',
      step: builtInNetwork('sepolia').forkSteps.at(-1),
      places: 70,
      of: MANY,
    });
    expect(forks.last()?.digest).toBe('669e6c11');
  });

  it('is followed by one who starts long after it', () => {
    const forks = learning(SEPOLIA);
    forks.say(places(MANY), onGloas, GLOAS + 10_000);
    for (let passed = 0; passed <= TAKEN_PATIENCE_EPOCHS; passed++) forks.advance(GLOAS + 10_000 + passed);
    expect(forks.last()).toMatchObject({ epoch: GLOAS + 10_000, digest: '669e6c11', forkVersion: '90000076' });
  });

  it('is followed when only blob parameters changed', () => {
    const forks = learning(MAINNET);
    forks.say(places(MANY), { ...announcesNothing(announcesBpo2), digest: '8c9f62fe' }, BPO2 + 3);
    for (let passed = 3; passed <= 3 + TAKEN_PATIENCE_EPOCHS; passed++) forks.advance(BPO2 + passed);
    expect(forks.last()).toMatchObject({ digest: '8c9f62fe', blobs: { epoch: BPO2, maxBlobsPerBlock: 21 } });
  });

  it('is not ours, however many have it, when it does not follow from our genesis', () => {
    const forks = learning(SEPOLIA);
    forks.say(places(MANY), announcesNothing(announcesGloas), GLOAS);
    forks.say(places(10 * MANY, MANY), { ...announcesNothing(announcesBpo2), digest: '8c9f62fe' }, GLOAS);
    for (let epoch = GLOAS; epoch < GLOAS + 10; epoch++) expect(forks.advance(epoch)).toBeNull();
    expect(forks.steps()).toEqual(SEPOLIA.forkSteps);
  });

  it('is forgotten when they come back', () => {
    const forks = learning(SEPOLIA);
    forks.say(places(MANY), onGloas, GLOAS);
    forks.advance(GLOAS);
    forks.say(places(MANY), announcesNothing(announcesGloas), GLOAS + 1);
    forks.advance(GLOAS + 1);
    forks.say(places(MANY), onGloas, GLOAS + 2);
    expect(forks.advance(GLOAS + 2)).toBeNull();
    expect(forks.advance(GLOAS + 3)).toBeNull();
    expect(forks.advance(GLOAS + 4)).toMatchObject({ kind: 'taken' });
  });
});

describe('hostile records', () => {
  const hex = (bytes: number) =>
    fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString('hex'));
  const claim: fc.Arbitrary<ForkClaim> = fc.record({
    digest: fc.oneof(hex(4), fc.constantFrom('74d01459', '669e6c11')),
    nextVersion: fc.oneof(hex(4), fc.constant('90000076')),
    nextEpoch: fc.oneof(fc.bigInt({ min: 0n, max: FAR_FUTURE_EPOCH }), fc.constant(BigInt(GLOAS))),
    nextDigest: fc.oneof(hex(4), fc.constantFrom('669e6c11', '74d01459'), fc.constant(null)),
  });

  it('of a fifth of all nodes, in few places, never move the schedule', () => {
    fc.assert(
      fc.property(fc.array(claim, { minLength: 1, maxLength: 25 }), fc.nat({ max: 19 }), (lies, lastPlace) => {
        const forks = learning(SEPOLIA);
        for (let epoch = GLOAS - 20; epoch < GLOAS + 20; epoch++) {
          forks.say(places(MANY, 1_000), announcesNothing(announcesGloas), epoch);
          for (const [index, lie] of lies.entries()) forks.hear(`place ${index % (lastPlace + 1)}`, lie, epoch);
          expect(forks.advance(epoch)).toBeNull();
        }
        expect(forks.steps()).toEqual(SEPOLIA.forkSteps);
      }),
      { numRuns: 50 },
    );
  });

  it('of nobody but liars in few places decide nothing after a start either', () => {
    fc.assert(
      fc.property(claim, fc.nat({ max: QUORUM_PLACES.public - 1 }), (lie, liars) => {
        const forks = learning(SEPOLIA);
        for (let epoch = GLOAS - 5; epoch < GLOAS + 5; epoch++) {
          forks.say(places(liars), lie, epoch);
          expect(forks.advance(epoch)).toBeNull();
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are no work that grows with what they invent', () => {
    const forks = learning(SEPOLIA);
    forks.say(places(MANY), announcesNothing(announcesGloas), GLOAS);
    for (let index = 0; index < 200_000; index++) {
      const digest = index.toString(16).padStart(8, '0');
      forks.hear(`lie ${index}`, { ...announcesGloas, digest, nextVersion: digest }, GLOAS);
    }
    const startedMs = performance.now();
    expect(forks.advance(GLOAS)).toBeNull();
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});
