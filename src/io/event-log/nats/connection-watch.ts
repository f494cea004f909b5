import { DebugEvents, Events, type NatsConnection } from 'nats';
import { BehaviorSubject, from, type Observable } from 'rxjs';
import type { Logger } from '../../logging/logger.ts';
import { asEventLogError } from './errors.ts';
import type { Reconnects } from './reconnects.ts';

/** What becomes of a connection that was just made: it is lost and comes back, and some day ends. */
export interface ConnectionWatch {
  /**
   * Whether it is up, now and at each change. Completes when it ends after `expectEnd`; errors when it is given up for
   * good.
   */
  readonly up$: Observable<boolean>;
  isUp(): boolean;
  /** How often it was lost. */
  losses(): number;
  /** From now on its end is no failure. */
  expectEnd(): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

export interface ConnectionWatchOptions {
  /** For messages: hosts and ports, no credentials. */
  readonly servers: string;
  /** Told of each attempt to reach the server again. */
  readonly retries: Reconnects;
  readonly logger: Logger;
}

export function watchConnection(
  connection: Pick<NatsConnection, 'status' | 'closed'>,
  { servers, retries, logger }: ConnectionWatchOptions,
): ConnectionWatch {
  const up$ = new BehaviorSubject(true);
  let losses = 0;
  let isEndExpected = false;

  const watching = from(connection.status()).subscribe(({ type, data: server }) => {
    if (type === Events.Disconnect) {
      losses++;
      logger.warn({ server }, 'connection to NATS lost');
      up$.next(false);
    } else if (type === Events.Reconnect) {
      logger.info({ server, attempts: retries.attempts }, 'connected to NATS again');
      retries.succeeded();
      up$.next(true);
    } else if (type === DebugEvents.Reconnecting) {
      retries.attempted();
      logger.debug({ server, attempts: retries.attempts }, 'trying to reach NATS');
    } else if (type === Events.Error) {
      logger.warn({ error: server }, 'NATS reports an error');
    }
  });

  async function watchEnd(): Promise<void> {
    const error = await connection.closed();
    watching.unsubscribe();
    if (isEndExpected) up$.complete();
    else up$.error(asEventLogError(error ?? new Error('the NATS client gave the connection up'), servers));
  }

  return {
    up$: up$.asObservable(),
    isUp: () => up$.value,
    losses: () => losses,
    expectEnd() {
      isEndExpected = true;
    },
    ended: watchEnd(),
  };
}
