import { integerBetween, type Random } from '../../src/devnet/random.ts';
import { type ChaosEvent, eventMaker } from './events.ts';

/** An event that must not be applied, and what the reason for it must say. */
export interface BadEvent {
  readonly kind: string;
  readonly subject: string;
  readonly payload: Uint8Array;
  /** What is sent as `Nats-Msg-Id`; `null` for none. */
  readonly messageId: string | null;
  readonly reason: RegExp;
}

/** The largest event that is read at all. */
const MAX_BYTES = 64 * 1024;
const NO_JSON = /not JSON/;

type Make = (
  event: ChaosEvent,
  random: Random,
) => Omit<BadEvent, 'kind' | 'messageId' | 'subject'> & { subject?: string };

const bytes = (text: string) => new Uint8Array(Buffer.from(text));
const json = (value: unknown) => bytes(JSON.stringify(value));
const text = (length: number) => 'x'.repeat(length);

/** A good event with one field spoilt; the reason must name the field. */
function spoilt(field: string, value: unknown): Make {
  return ({ wire }) => ({ payload: json({ ...wire, [field]: value }), reason: new RegExp(`^${field}`) });
}

function without(field: string): Make {
  return ({ wire }) => {
    const { [field]: _, ...others } = wire;
    return { payload: json(others), reason: new RegExp(`^${field}`) };
  };
}

const KINDS: Readonly<Record<string, Make>> = {
  truncated: ({ wire }, random) => {
    const whole = JSON.stringify(wire);
    return { payload: bytes(whole.slice(0, integerBetween(random, 1, whole.length - 1))), reason: NO_JSON };
  },
  noise: (_, random) => ({
    payload: Uint8Array.from({ length: integerBetween(random, 8, 2_000) }, () => integerBetween(random, 128, 255)),
    reason: NO_JSON,
  }),
  'not UTF-8': ({ wire }) => ({
    payload: new Uint8Array(Buffer.concat([json(wire).subarray(0, -1), Buffer.from(',"a":"\xff"}', 'latin1')])),
    reason: NO_JSON,
  }),
  'two events': ({ wire }) => ({ payload: bytes(`${JSON.stringify(wire)}${JSON.stringify(wire)}`), reason: NO_JSON }),
  'no object': (_, random) => ({ payload: json([random()]), reason: /^event/ }),
  null: () => ({ payload: bytes('null'), reason: /^event/ }),
  text: (_, random) => ({ payload: json(`${random()}`), reason: /^event/ }),
  oversized: ({ wire }, random) => ({
    payload: json({ ...wire, padding: text(integerBetween(random, MAX_BYTES, 4 * MAX_BYTES)) }),
    reason: /bytes, more than 65536$/,
  }),
  'deeply nested': (_, random) => ({
    payload: bytes(`{"id":${'['.repeat(integerBetween(random, 10_000, 30_000))}`),
    reason: NO_JSON,
  }),
  'nested in a field': ({ wire }, random) => {
    const depth = integerBetween(random, 100, 3_000);
    const payload = JSON.stringify({ ...wire, id: 0 }).replace(
      '"id":0',
      `"id":${'['.repeat(depth)}${']'.repeat(depth)}`,
    );
    return { payload: bytes(payload), reason: /^id/ };
  },
  prototype: (_, random) => ({ payload: bytes(`{"__proto__":{"id":"${random()}"},"constructor":{}}`), reason: /:/ }),
  'no id': without('id'),
  'empty id': spoilt('id', ''),
  'long id': spoilt('id', text(5_000)),
  'id of another kind': spoilt('id', { $ne: null }),
  'no time': without('timestamp'),
  'time before 1970': spoilt('timestamp', -1),
  'time after 9999': spoilt('timestamp', 253_402_300_800_000),
  'time in parts': spoilt('timestamp', 1.5),
  'time as text': spoilt('timestamp', '2024-05-28T00:00:00Z'),
  'slot as text': spoilt('slot', '1; DROP TABLE dead_letters'),
  'unknown direction': spoilt('direction', 'sideways'),
  'unknown transport': spoilt('transport', 'pigeon'),
};
const METADATA_KINDS: Readonly<Record<string, Make>> = {
  'no epoch': without('epoch'),
  'endless epoch': ({ wire }) => ({
    payload: bytes(JSON.stringify({ ...wire, epoch: 0 }).replace('"epoch":0', '"epoch":1e999')),
    reason: /^epoch/,
  }),
  'too many subnets': spoilt(
    'subscribed_subnets',
    Array.from({ length: 5_000 }, () => 1),
  ),
  'subnets as text': spoilt('subscribed_subnets', '1,2,3'),
  'attnets too short': spoilt('metadata', { seq_number: 1, attnets: 'AAAA', syncnets: 'AA==' }),
  'attnets too long': spoilt('metadata', { seq_number: 1, attnets: '00'.repeat(9), syncnets: 'AA==' }),
  'metadata as a list': spoilt('metadata', [1, 2, 3]),
};

/** Ids as strangers may write them: all of them are names and nothing else. */
const ODD_IDS = (serial: number) => [
  `bad:${serial}`,
  null,
  `${serial}');DROP_TABLE_dead_letters;--`,
  `../../${serial}`,
  `${text(300)}${serial}`,
];

export interface BadEventMaker {
  next(): BadEvent;
}

/** Bad events of every kind in turn; no two of them are equal. */
export function badEventMaker(random: Random, startedMs: number): BadEventMaker {
  const good = eventMaker(random, startedMs);
  let count = 0;
  return {
    next() {
      const serial = count++;
      const event = good.next();
      const isMetadata = event.subject === 'events.metadata_received';
      const kinds = Object.entries({ ...KINDS, ...(isMetadata ? METADATA_KINDS : {}) });
      const [kind, make] = kinds[serial % kinds.length] as [string, Make];
      const { payload, reason } = make(event, random);
      // Equal bytes are the same event when they have no id, or one that is too long to be one.
      const ids = kind === 'null' ? [`bad:${serial}`] : ODD_IDS(serial);
      const messageId = ids[Math.floor(random() * ids.length)] ?? null;
      if (serial % 50 === 0)
        return {
          kind: 'unknown subject',
          subject: 'events.evil',
          payload: json(event.wire),
          messageId: `bad:${serial}`,
          reason: /^unknown subject/,
        };
      return { kind, subject: event.subject, payload, messageId, reason };
    },
  };
}
