import { tap } from 'rxjs';
import { ipPrefix } from '../../consensus/address-policy.ts';
import type { NetworkClock } from '../../consensus/clock.ts';
import { createForkLearning, type ForkClaim, type ForkNews, type ForkSource } from '../../consensus/forks/learning.ts';
import { forkStepAt, type Network, nextForkStep } from '../../consensus/network.ts';
import { multiaddrText, type NodeRecord } from '../../consensus/node-record.ts';
import type { Logger } from '../../io/logging/logger.ts';
import { gauge } from '../../io/metrics/metrics.ts';
import type { ForkStore } from '../../io/storage/sentry/fork-store.ts';
import type { Discovery } from '../../streams/ports/discovery.ts';
import { type Part, partOf } from '../part.ts';

/** The forks of the network, those included that the configuration does not know. */
export interface ForkWatch extends Part {
  /** The network; its steps grow as they are learnt. */
  readonly network: Network;
  /** The same discovery; what its nodes say of forks is heard, all but ourselves. */
  hearing(discovery: Discovery, ownPeerId: string): Discovery;
  /** Decides for an epoch that has begun. */
  advanceTo(epoch: number): void;
}

export interface ForkWatchOptions {
  readonly network: Network;
  readonly clock: NetworkClock;
  readonly follow: ForkSource;
  readonly store: ForkStore;
  readonly logger: Logger;
}

export async function startForkWatch({ network, clock, follow, store, logger }: ForkWatchOptions): Promise<ForkWatch> {
  const learning = createForkLearning({ network, restored: follow === 'learnt' ? await store.load() : [] });
  const followed: Network = {
    ...network,
    get forkSteps() {
      return follow === 'learnt' ? learning.steps() : network.forkSteps;
    },
  };

  const hear = (record: NodeRecord) => {
    const place = placeOf(network, record);
    const claim = claimOf(record);
    if (place !== null && claim !== null) learning.hear(place, claim, clock.epochAt(Date.now()));
  };

  const tell = ({ kind, step, places, of }: ForkNews) => {
    const { epoch, name, digest, forkVersion } = step;
    logger.warn({ epoch, fork: name, digest, forkVersion, places, of }, `${TOLD[kind]}; ${OUTCOME[follow][kind]}`);
  };

  return {
    ...partOf('the fork watch', {
      metrics: [
        gauge('fork_steps', 'Steps of the fork schedule, by where they are known from', ['source'], (set) => {
          set({ source: 'configured' }, network.forkSteps.length);
          set({ source: 'learnt' }, learning.learnt().length);
        }),
        gauge(
          'fork_info',
          'The digests of now and of the next step, with the epoch in which each begins',
          ['step', 'digest'],
          (set) => {
            const epoch = clock.epochAt(Date.now());
            const current = forkStepAt(followed, epoch);
            const next = nextForkStep(followed, epoch);
            set({ step: 'current', digest: current.digest }, current.epoch);
            if (next !== undefined) set({ step: 'next', digest: next.digest }, next.epoch);
          },
        ),
      ],
    }),
    network: followed,
    hearing(discovery, ownPeerId) {
      const hearOther = (record: NodeRecord) => {
        if (record.peerId !== ownPeerId) hear(record);
      };
      return {
        heard$: discovery.heard$.pipe(tap(hearOther)),
        find: (peerId) => discovery.find(peerId),
        neighbours: (enr) =>
          discovery.neighbours(enr).pipe(
            tap((answer) => {
              if (answer.ok) answer.value.records.forEach(hearOther);
            }),
          ),
      };
    },
    advanceTo(epoch) {
      const news = learning.advance(epoch);
      if (news === null) return;
      tell(news);
      // It can be learnt again.
      const saved = follow === 'learnt' ? store.save(learning.learnt()) : Promise.resolve();
      saved.catch((error: unknown) => logger.warn({ err: error }, 'what was learnt of forks could not be saved'));
    },
  };
}

const TOLD: Readonly<Record<ForkNews['kind'], string>> = {
  announced: 'nodes announce a fork that the configuration does not know',
  taken: 'most nodes have taken a fork that the configuration does not know',
  withdrawn: 'nodes no longer announce a fork that the configuration does not know',
};
const OUTCOME: Readonly<Record<ForkSource, Readonly<Record<ForkNews['kind'], string>>>> = {
  learnt: { announced: 'it is scheduled', taken: 'it is followed', withdrawn: 'it is scheduled no more' },
  configured: {
    announced: 'it is not followed, as --forks configured says',
    taken: 'it is not followed, as --forks configured says',
    withdrawn: 'it had not been followed',
  },
};

/** On a public network a /24 or /64, which somebody may hold as a whole; on others each address. */
function placeOf({ isPublic }: Network, { addresses: [address] }: NodeRecord): string | null {
  if (address === undefined) return null;
  return isPublic ? ipPrefix(address.ip) : multiaddrText(address);
}

function claimOf({ eth2, nextForkDigest }: NodeRecord): ForkClaim | null {
  if (eth2 === null) return null;
  const { forkDigest: digest, nextForkVersion: nextVersion, nextForkEpoch: nextEpoch } = eth2;
  return { digest, nextVersion, nextEpoch, nextDigest: nextForkDigest };
}
