import { integerBetween, type Random } from '../../src/devnet/random.ts';

/**
 * Events made up by the harness, in its own words: nothing here comes from the code under test. The number of an event
 * is in its `slot`, which nothing computes with, so that every stored row can be told from every other.
 */
export interface ChaosEvent {
  readonly serial: number;
  readonly subject: 'events.peer_discovered' | 'events.metadata_received';
  /** The JSON on the wire, without `event_id`. */
  readonly wire: Readonly<Record<string, unknown>>;
  /** Attestation subnets that the metadata names; `null` without metadata. */
  readonly longLived: readonly number[] | null;
  /** The bit vectors as the tables have them. */
  readonly attnetsHex: string | null;
  readonly syncnetsHex: string | null;
}

const PEERS = 400;
const DAYS = 3;
const DAY_MS = 86_400_000;
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const CLIENTS = [
  'Lighthouse/v8.0.0/x86_64-linux',
  'teku/v25.1.0',
  'Prysm/v6.0.1',
  'nimbus',
  'Grandine "☃" 😀',
  'unknown',
  '',
];

export interface EventMaker {
  /** The next event: about any of the peers, on any of the last days. */
  next(): ChaosEvent;
}

/** @param startedMs before which all events happened */
export function eventMaker(random: Random, startedMs: number): EventMaker {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const letters = (length: number) => Array.from({ length }, () => pick([...BASE58])).join('');
  const ids = Array.from({ length: PEERS }, () => `16Uiu2HAm${letters(44)}`);
  let serial = 0;

  function common() {
    const day = integerBetween(random, 0, DAYS - 1);
    // No two events happen in the same millisecond, so "the newest that says so" is one event.
    const timestamp = startedMs - 2 * 3_600_000 - day * DAY_MS + serial * 50;
    const crawler = { crawler_id: pick(['a', 'b']), crawler_location: pick(['here', 'Zürich']), timestamp };
    const own = {
      slot: serial,
      fork_digest: pick(['8c9f62fe', null]),
      custody_group_count: pick([4, 8, 128, null]),
    };
    return { crawler, own };
  }

  function discovered(): ChaosEvent {
    const { crawler, own } = common();
    const ip = `203.0.${integerBetween(random, 0, 255)}.${integerBetween(random, 1, 254)}`;
    const wire = {
      enr: `enr:-${letters(120)}`,
      id: pick(ids),
      ip,
      port: integerBetween(random, 1, 65_535),
      ...crawler,
      ...own,
    };
    return { serial, subject: 'events.peer_discovered', wire, longLived: null, attnetsHex: null, syncnetsHex: null };
  }

  function observed(): ChaosEvent {
    const { crawler, own } = common();
    const longLived = random() < 0.1 ? [] : [integerBetween(random, 0, 62), 63];
    const attnets = hexOf(longLived, 8);
    const syncnets = hexOf(random() < 0.2 ? [integerBetween(random, 0, 3)] : [], 1);
    const hasMetadata = random() < 0.9;
    const isHex = random() < 0.1;
    const spelled = (hex: string) => (isHex ? hex : Buffer.from(hex, 'hex').toString('base64'));
    const metadata = {
      seq_number: integerBetween(random, 0, 1e9),
      attnets: spelled(attnets),
      syncnets: spelled(syncnets),
    };
    const others = Array.from({ length: integerBetween(random, 0, 12) }, () => integerBetween(random, 0, 63));
    const address = `/ip4/203.0.113.${integerBetween(random, 1, 254)}`;
    const port = integerBetween(random, 1, 65_535);
    const isQuic = random() < 0.5;
    const wire = {
      enr: pick([`enr:-${letters(120)}`, 'enr:', '']),
      id: pick(ids),
      multiaddr: isQuic ? `${address}/udp/${port}/quic-v1` : `${address}/tcp/${port}`,
      epoch: integerBetween(random, 0, 400_000),
      metadata: hasMetadata ? metadata : null,
      // Repeated subnets and ones that do not exist are legal.
      subscribed_subnets: random() < 0.05 ? null : [...others, ...longLived, ...(random() < 0.1 ? [-1, 64, 7, 7] : [])],
      client_version: pick(CLIENTS),
      ...crawler,
      ...own,
      observed_from: crawler.timestamp - 3_000,
      observed_to: crawler.timestamp,
      direction: pick(['inbound', 'outbound']),
      transport: isQuic ? 'quic' : 'tcp',
    };
    return {
      serial,
      subject: 'events.metadata_received',
      wire,
      longLived: hasMetadata ? longLived : null,
      attnetsHex: hasMetadata ? attnets : null,
      syncnetsHex: hasMetadata ? syncnets : null,
    };
  }

  return {
    next() {
      serial++;
      return random() < 0.3 ? discovered() : observed();
    },
  };
}

/** Bit n of the vector is bit n mod 8 of byte n div 8, as SSZ has it. */
function hexOf(bits: readonly number[], byteLength: number): string {
  const bytes = Buffer.alloc(byteLength);
  for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] as number) | (1 << (bit & 7));
  return bytes.toString('hex');
}
