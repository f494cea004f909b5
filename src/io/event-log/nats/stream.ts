import { type JetStreamManager, RetentionPolicy, StorageType, type StreamConfig, type StreamInfo } from 'nats';
import { asyncScheduler, firstValueFrom, type SchedulerLike, timer } from 'rxjs';
import { MAX_EVENT_BYTES, STREAM_NAME, SUBJECTS } from '../../../consensus/events.ts';
import type { Logger } from '../../logging/logger.ts';
import { checkStream } from './checks.ts';
import { isStreamNotFound } from './errors.ts';
import { found } from './found.ts';

/** The stream that events are published to, made when it is missing, and told from one that was made after it. */
export interface NatsStream {
  /** `nats:<stream>:<when it was created>`: another one once the stream is made anew; `''` before the first `ensure`. */
  readonly id: string;
  /**
   * Makes the stream unless it is there.
   * @throws EventLogConfigError when it is of another kind
   */
  ensure(): Promise<StreamInfo>;
}

export interface NatsStreamOptions {
  /** On how many servers of a cluster the stream is stored when it is made here. */
  readonly replicas: number;
  readonly logger: Logger;
  /** Called when the stream is another one than before, which it counts as once this resolves; again if it rejects. */
  readonly onAnother: () => Promise<void>;
  readonly scheduler?: SchedulerLike;
}

/** Beside an event, what a message has: its id above all. */
const MAX_HEADER_BYTES = 4 * 1024;
/** So long after a stream was removed its files are gone. */
const REMOVED_MS = 500;

export function natsStream(
  jsm: Pick<JetStreamManager, 'streams'>,
  { replicas, logger, onAnother, scheduler = asyncScheduler }: NatsStreamOptions,
): NatsStream {
  let id = '';
  let hasToldReplicas = false;

  async function add(): Promise<StreamInfo> {
    // nats-server 2.9 takes the files of a stream away after it has said so, and those of a new one of that name with them.
    if (id !== '') await firstValueFrom(timer(REMOVED_MS, scheduler));
    const info = await jsm.streams.add({
      name: STREAM_NAME,
      subjects: [...SUBJECTS],
      retention: RetentionPolicy.Interest,
      storage: StorageType.File,
      max_msg_size: MAX_EVENT_BYTES + MAX_HEADER_BYTES,
      num_replicas: replicas,
    });
    logger.info({ stream: STREAM_NAME, replicas }, 'made the NATS stream');
    return info;
  }

  function tellReplicas({ num_replicas: actual }: StreamConfig): void {
    if (hasToldReplicas || actual === replicas) return;
    hasToldReplicas = true;
    const command = `nats stream edit ${STREAM_NAME} --replicas=${replicas}`;
    logger.warn(
      { actual, wanted: replicas },
      `the NATS stream is on ${actual} servers, not ${replicas}; \`${command}\` changes it`,
    );
  }

  return {
    get id() {
      return id;
    },
    async ensure() {
      const info = (await found(jsm.streams.info(STREAM_NAME), isStreamNotFound)) ?? (await add());
      checkStream(info.config);
      tellReplicas(info.config);
      const current = `nats:${STREAM_NAME}:${info.created}`;
      if (id !== '' && current !== id) {
        logger.warn({ was: id, now: current }, 'the NATS stream is another one now');
        await onAnother();
      }
      id = current;
      return info;
    },
  };
}
