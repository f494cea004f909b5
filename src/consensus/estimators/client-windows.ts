import type { Client } from '../client.ts';

/**
 * For which duties a client is subscribed at a given moment: an aggregator joins its subnet some time before its slot and
 * leaves it after. The windows are read from the clients' sources (reference, 3.5) and are right to a slot or so; the
 * calibration tells how far they hold.
 */
export interface ClientWindow {
  /** The last duty slot whose subscription is visible during `slot`; the first is `slot` itself. */
  readonly lastVisibleSlot: (slot: number, slotsPerEpoch: number) => number;
  /** Where the figure comes from. */
  readonly source: string;
}

const ahead = (slots: number) => (slot: number) => slot + slots;
const firstSlotAfter = (epochs: number) => (slot: number, slotsPerEpoch: number) =>
  (Math.floor(slot / slotsPerEpoch) + epochs) * slotsPerEpoch;

export const CLIENT_WINDOWS: Readonly<Partial<Record<Client, ClientWindow>>> = {
  Lighthouse: { lastVisibleSlot: ahead(1), source: 'network/src/subnet_service ADVANCE_SUBSCRIBE_TIME: one slot' },
  Grandine: { lastVisibleSlot: ahead(1), source: 'attestation_subnets.rs SUBSCRIBE_IN_ADVANCE_SLOTS = 1' },
  Lodestar: { lastVisibleSlot: ahead(2), source: 'options.ts slotsToSubscribeBeforeAggregatorDuty = 2' },
  Nimbus: { lastVisibleSlot: ahead(3), source: 'action_tracker SUBNET_SUBSCRIPTION_LEAD_TIME_SLOTS = 4' },
  Prysm: { lastVisibleSlot: firstSlotAfter(1), source: 'sync/subscriber.go: to the first slot of the next epoch' },
  Teku: {
    lastVisibleSlot: (slot, slotsPerEpoch) => firstSlotAfter(2)(slot, slotsPerEpoch) - 1,
    source: 'subscribes when the validator client asks, one epoch ahead: to the end of the next epoch',
  },
};

/** Duty slots visible at some time between two slots, both included. */
export interface VisibleSlots {
  readonly first: number;
  readonly last: number;
}

export function visibleSlots(
  window: ClientWindow,
  fromSlot: number,
  toSlot: number,
  slotsPerEpoch: number,
): VisibleSlots {
  return { first: fromSlot, last: window.lastVisibleSlot(toSlot, slotsPerEpoch) };
}

/** A window that a client of unknown name may have. */
export interface PossibleWindow {
  readonly clients: readonly Client[];
  /** How likely, by the clients' shares among the nodes. All shares add up to 1. */
  readonly share: number;
  readonly window: ClientWindow;
}

/**
 * The windows there are, with rough node shares as crawlers have been reporting them since 2024 (within ten points of each other).
 * An assumption, and the reason why the interval of an unknown client spans all of them.
 */
export const POSSIBLE_WINDOWS: readonly PossibleWindow[] = [
  possible(['Lighthouse', 'Grandine'], 0.44),
  possible(['Prysm'], 0.27),
  possible(['Teku'], 0.14),
  possible(['Nimbus'], 0.1),
  possible(['Lodestar'], 0.05),
];

function possible(clients: readonly [Client, ...Client[]], share: number): PossibleWindow {
  const window = CLIENT_WINDOWS[clients[0]];
  if (window === undefined) throw new Error(`no window is known for ${clients[0]}`);
  return { clients, share, window };
}
