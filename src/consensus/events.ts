import { z } from 'zod';
import { decodeBitVector } from './bits.ts';
import { ATTESTATION_SUBNET_COUNT } from './subnets.ts';

/**
 * The events between sentry and consumer, as JSON on the wire.
 *
 * Names, types and order of the first fields are those of the Go program, so that either program's sentry can feed the
 * other's consumer; our own fields follow and are optional to every reader.
 */

export const STREAM_NAME = 'EVENTS';
export const PEER_DISCOVERED = 'events.peer_discovered';
export const METADATA_RECEIVED = 'events.metadata_received';
export const SUBJECTS = [PEER_DISCOVERED, METADATA_RECEIVED] as const;
export type Subject = (typeof SUBJECTS)[number];

export type Direction = 'inbound' | 'outbound';
export type Transport = 'tcp' | 'quic';

/** Larger payloads are refused unread: a real event is about one kilobyte. */
export const MAX_EVENT_BYTES = 64 * 1024;

const MAX_TEXT_LENGTH = 4096;
/** Repeated subnets are legal; this many are not. */
const MAX_SUBNETS = 4096;

/** The last millisecond of the year 9999: later ones have no date in four digits. */
const MAX_UNIX_MS = Date.UTC(10_000, 0) - 1;

/** Half surrogate pairs and NUL are replaced in strangers' text: no store brings them back as they were. */
const text = z
  .string()
  .max(MAX_TEXT_LENGTH)
  .transform((value) => value.toWellFormed().replaceAll('\0', '\ufffd'));
const nonEmptyText = text.refine((value) => value !== '', 'must not be empty');
const unixMs = z.int().nonnegative().max(MAX_UNIX_MS);
const optionalInt = z.int().nullish();
const optionalText = text.nullish();

/** Eight or one bytes, written as standard base64 by current producers and as hex by old ones. */
function bitVector(byteLength: number) {
  return optionalText.transform((value, context): Uint8Array => {
    const bytes = decodeBitVector(value ?? '', byteLength);
    if (bytes !== null) return bytes;
    context.addIssue({ code: 'custom', message: `not a bit vector of ${byteLength} bytes` });
    return z.NEVER;
  });
}

/**
 * A stranger's claim of any 64-bit number. The Go program writes what is beyond an int64 as a negative one; all that a
 * JavaScript integer cannot hold is held at its limit.
 */
const sequenceNumber = z
  .number()
  .nullish()
  .transform((value) => {
    const claimed = value ?? 0;
    return claimed < 0 ? Number.MAX_SAFE_INTEGER : Math.min(Math.trunc(claimed), Number.MAX_SAFE_INTEGER);
  });

/** As the Go program writes it, with 64 bits: a JavaScript integer may not hold it exactly. */
const int64 = z.number().refine((value) => Number.isInteger(value) && Math.abs(value) <= 2 ** 63, 'expected an int64');

/** A stranger's claim, too: the Go program takes it from the slot of the head that a peer says it has. */
const claimedEpoch = int64.transform((value) =>
  Math.max(Number.MIN_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER)),
);

/** And so is what a peer calls itself: its length must not hide it. */
const agentText = z
  .string()
  .transform((value) => value.slice(0, MAX_TEXT_LENGTH))
  .pipe(text)
  .nullish()
  .transform((value) => value ?? '');

const metaData = z
  .object({
    seq_number: sequenceNumber,
    attnets: bitVector(8),
    syncnets: bitVector(1),
  })
  .nullish()
  .transform((value) => value ?? null);

const optionalFields = {
  event_id: optionalText,
  slot: optionalInt,
  observed_from: optionalInt,
  observed_to: optionalInt,
  fork_digest: optionalText,
  custody_group_count: optionalInt,
  direction: z.enum(['inbound', 'outbound']).nullish(),
  transport: z.enum(['tcp', 'quic']).nullish(),
};

const MAX_MISSING = 16;

/** What only observations of ours carry. */
const observationFields = {
  /** Sync-committee subnets it was subscribed to. */
  subscribed_syncnets: z.array(z.int()).max(MAX_SUBNETS).nullish(),
  data_column_topics: optionalInt,
  /** Those of the subscribed attestation subnets that it had not left again when the observation ended. */
  current_subnets: z
    .array(
      z
        .int()
        .min(0)
        .max(ATTESTATION_SUBNET_COUNT - 1),
    )
    .max(ATTESTATION_SUBNET_COUNT)
    .nullish(),
  /** What was asked for and not obtained: `identify`, `status`, `metadata`, `subscriptions`. */
  missing: z.array(text).max(MAX_MISSING).nullish(),
};

const peerDiscovered = z.object({
  enr: text,
  id: nonEmptyText,
  ip: text,
  port: z.int().min(0).max(65_535),
  crawler_id: text,
  crawler_location: text,
  timestamp: unixMs,
  ...optionalFields,
});

/** Says that the zeros in the place of MetaData are nobody's: for the Go program an event without any would be its last. */
const MISSING_METADATA = 'metadata';
const NO_METADATA = { seq_number: 0, attnets: new Uint8Array(8), syncnets: new Uint8Array(1) };

const metadataReceived = z
  .object({
    enr: optionalText.transform((value) => value ?? ''),
    id: nonEmptyText,
    multiaddr: optionalText.transform((value) => value ?? ''),
    epoch: claimedEpoch,
    metadata: metaData,
    subscribed_subnets: z
      .array(int64)
      .max(MAX_SUBNETS)
      .nullish()
      .transform((value) => (value ?? []).filter(isAttestationSubnet)),
    client_version: agentText,
    crawler_id: optionalText.transform((value) => value ?? ''),
    crawler_location: optionalText.transform((value) => value ?? ''),
    timestamp: unixMs,
    ...optionalFields,
    ...observationFields,
  })
  .transform((event) => {
    if (event.metadata !== null && !event.missing?.includes(MISSING_METADATA)) return event;
    return { ...event, metadata: null, missing: withoutMetadata(event.missing) };
  });

/** What was missing, MetaData among it. */
function withoutMetadata(missing: readonly string[] | null | undefined): string[] {
  if (missing?.includes(MISSING_METADATA)) return [...missing];
  return [...(missing ?? []).slice(0, MAX_MISSING - 1), MISSING_METADATA];
}

/** Topics of a peer's own making may have any number in them. */
function isAttestationSubnet(value: number): boolean {
  return value >= 0 && value < ATTESTATION_SUBNET_COUNT;
}

/** A discovered peer, after reading. */
export type PeerDiscoveredEvent = z.output<typeof peerDiscovered>;
/** An observation of one peer, after reading: bit vectors are bytes, subscribed subnets are within 0..63, may repeat. */
export type MetadataReceivedEvent = z.output<typeof metadataReceived>;

export type ValtrackEvent =
  | { readonly subject: typeof PEER_DISCOVERED; readonly event: PeerDiscoveredEvent }
  | { readonly subject: typeof METADATA_RECEIVED; readonly event: MetadataReceivedEvent };

/** Why an event cannot be read, as a closed list. */
export const REFUSALS = ['too large', 'not JSON', 'unknown subject', 'wrong fields'] as const;
export type Refusal = (typeof REFUSALS)[number];

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal; readonly reason: string };

/** Reads one event. Total: a malformed one gives a reason, in one line, that names the field. */
export function decodeEvent(subject: string, payload: Uint8Array): Decoded<ValtrackEvent> {
  if (payload.length > MAX_EVENT_BYTES) {
    return refused('too large', `${payload.length} bytes, more than ${MAX_EVENT_BYTES}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return refused('not JSON', 'not JSON in UTF-8');
  }
  if (subject === PEER_DISCOVERED) {
    const result = peerDiscovered.safeParse(json);
    return result.success
      ? { ok: true, value: { subject, event: result.data } }
      : refused('wrong fields', issues(result.error));
  }
  if (subject === METADATA_RECEIVED) {
    const result = metadataReceived.safeParse(json);
    return result.success
      ? { ok: true, value: { subject, event: result.data } }
      : refused('wrong fields', issues(result.error));
  }
  return refused('unknown subject', `unknown subject ${subject.slice(0, 80)}`);
}

/**
 * Writes one event as the wire has it: fields in the contract's order, bit vectors in base64; zeros for metadata that was not
 * obtained, which is then among what is missing.
 */
export function encodeEvent({ subject, event }: ValtrackEvent): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(subject === PEER_DISCOVERED ? event : wireMetadata(event)));
}

function wireMetadata(event: MetadataReceivedEvent) {
  const { seq_number, attnets, syncnets } = event.metadata ?? NO_METADATA;
  const missing = event.metadata === null ? withoutMetadata(event.missing) : event.missing;
  return {
    ...event,
    metadata: {
      seq_number,
      attnets: Buffer.from(attnets).toString('base64'),
      syncnets: Buffer.from(syncnets).toString('base64'),
    },
    ...(missing === undefined ? {} : { missing }),
  };
}

function refused(refusal: Refusal, reason: string): { ok: false; refusal: Refusal; reason: string } {
  return { ok: false, refusal, reason };
}

function issues(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join('.') || 'event'}: ${issue.message}`)
    .join('; ')
    .slice(0, 300);
}
