import { createHash } from 'node:crypto';
import { concatMap, defer, filter, type Observable, type SchedulerLike } from 'rxjs';
import { isSameDay } from '../consensus/day.ts';
import type { EstimatorModel } from '../consensus/estimators/estimator-network.ts';
import { contentEventId } from '../consensus/event-id.ts';
import { decodeEvent, METADATA_RECEIVED, type ValtrackEvent } from '../consensus/events.ts';
import { observe, type PeerView } from '../consensus/peer-view.ts';
import { batches } from './flow/batches.ts';
import { type RetryForeverOptions, retryForever } from './flow/retry-forever.ts';
import type { Delivery, EventLog } from './ports/event-log.ts';
import type { BatchChange, DeadLetter, LateDay, ViewStore } from './ports/view-store.ts';

export interface ReduceOptions {
  /** The log the deliveries come from; the position in it is committed with each batch. */
  readonly log: Pick<EventLog, 'id'>;
  /** Without it, subnets tell nothing about the number of validators. */
  readonly model?: EstimatorModel;
  readonly batchSize: number;
  /** The longest a delivery waits for its batch to fill. */
  readonly batchMs: number;
  readonly scheduler: SchedulerLike;
  /** Told each time a batch could not be committed and will be tried again. */
  readonly onFailure: RetryForeverOptions['onFailure'];
}

/** What one committed batch did. Every delivery of it is counted once: applied, duplicate or malformed. */
export interface BatchSummary {
  readonly deliveries: number;
  readonly applied: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly position: number;
}

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;

/**
 * Reduces deliveries to the view: each batch is decoded, stripped of what was applied before, applied, committed as one
 * transaction and only then acknowledged. Batches follow one another; while one is being committed or retried, at most
 * the log's `maxInFlight` deliveries wait here.
 *
 * What has lapsed by then is somebody else's, and left out. Emits a summary after each commit. Completes when the source has and its last batch is committed; errors only when
 * the source does.
 */
export function reduce(
  store: ViewStore,
  { log, model, batchSize, batchMs, scheduler, onFailure }: ReduceOptions,
): (deliveries: Observable<Delivery>) => Observable<BatchSummary> {
  const commit = (batch: readonly Delivery[]) =>
    defer(async () => {
      await store.room();
      const deliveries = batch.filter((delivery) => delivery.isLapsed?.() !== true);
      if (deliveries.length === 0) return null;
      const { change, summary } = await changeOf(
        store,
        { logId: log.id, model: model ?? null, committedMs: scheduler.now() },
        deliveries,
      );
      await store.commit(change);
      for (const delivery of deliveries) delivery.ack();
      return summary;
    }).pipe(
      retryForever({ minDelayMs: RETRY_MIN_MS, maxDelayMs: RETRY_MAX_MS, scheduler, onFailure }),
      filter((summary) => summary !== null),
    );

  return (deliveries) => deliveries.pipe(batches({ size: batchSize, waitMs: batchMs, scheduler }), concatMap(commit));
}

interface BatchContext {
  readonly logId: string;
  readonly model: EstimatorModel | null;
  readonly committedMs: number;
}

async function changeOf(
  store: ViewStore,
  { logId, model, committedMs }: BatchContext,
  deliveries: readonly Delivery[],
): Promise<{ change: BatchChange; summary: BatchSummary }> {
  const { events, deadLetters } = read(logId, deliveries);
  const ids = [...events.keys(), ...deadLetters.keys()];
  for (const id of await store.applied(ids)) {
    events.delete(id);
    deadLetters.delete(id);
  }
  const position = deliveries.reduce((highest, delivery) => Math.max(highest, delivery.position), 0);
  const change: BatchChange = {
    log: logId,
    position,
    committedMs,
    eventIds: [...events.keys(), ...deadLetters.keys()],
    events: [...events.values()],
    ...(await nextViews(store, [...events.values()], model)),
    deadLetters: [...deadLetters.values()],
  };
  const summary: BatchSummary = {
    deliveries: deliveries.length,
    applied: events.size,
    duplicates: deliveries.length - events.size - deadLetters.size,
    malformed: deadLetters.size,
    position,
  };
  return { change, summary };
}

/** Decodes; of several deliveries of one event the first counts. */
function read(
  logId: string,
  deliveries: readonly Delivery[],
): {
  events: Map<string, ValtrackEvent>;
  deadLetters: Map<string, DeadLetter>;
} {
  const events = new Map<string, ValtrackEvent>();
  const deadLetters = new Map<string, DeadLetter>();
  for (const delivery of deliveries) {
    const { subject, payload, eventId, position } = delivery;
    const decoded = decodeEvent(subject, payload);
    if (decoded.ok) {
      const identified = withId(decoded.value, eventId);
      const id = identified.event.event_id as string;
      if (!events.has(id)) events.set(id, identified);
    } else {
      const { refusal, reason } = decoded;
      const key = deadLetterKey(logId, delivery);
      if (!deadLetters.has(key)) deadLetters.set(key, { key, position, eventId, subject, refusal, reason, payload });
    }
  }
  return { events, deadLetters };
}

/**
 * The same for each delivery of one piece of rubbish. Where the producer gave no id the place in the log stands for it: a
 * thousand equal ones are a thousand.
 */
function deadLetterKey(logId: string, { subject, payload, eventId, position }: Delivery): string {
  const contentId = contentEventId(subject, payload);
  const place = eventId === contentId ? `${logId} ${position}` : eventId;
  return `dead-${createHash('sha256').update(`${place}\n${contentId}`).digest('base64url')}`;
}

/** The event with the id it is deduplicated by: its own, else the log's. */
function withId(decoded: ValtrackEvent, eventId: string): ValtrackEvent {
  const event_id = decoded.event.event_id || eventId;
  return decoded.subject === METADATA_RECEIVED
    ? { subject: decoded.subject, event: { ...decoded.event, event_id } }
    : { subject: decoded.subject, event: { ...decoded.event, event_id } };
}

async function nextViews(
  store: ViewStore,
  events: readonly ValtrackEvent[],
  model: EstimatorModel | null,
): Promise<Pick<BatchChange, 'views' | 'endedDays' | 'lateDays'>> {
  const observations = events.flatMap(({ subject, event }) => (subject === METADATA_RECEIVED ? [event] : []));
  const peerIds = [...new Set(observations.map((event) => event.id))];
  const views = new Map(await store.views(peerIds));
  const endedDays: PeerView[] = [];
  const lateDays: LateDay[] = [];
  for (const event of observations) {
    const before = views.get(event.id);
    const after = observe(before, event, model);
    if (before !== undefined && !isSameDay(before.lastSeenMs, after.lastSeenMs)) endedDays.push(before);
    if (!isSameDay(event.timestamp, after.lastSeenMs)) lateDays.push({ atMs: event.timestamp, view: after });
    views.set(event.id, after);
  }
  return { views: [...views.values()], endedDays, lateDays };
}
