import { describe, expect, it } from 'vitest';
import type { Client } from '../../../src/consensus/client.ts';
import { refusalFor } from '../../../src/consensus/manners/refusal.ts';

const protocol = (name: string, version = 1) => `/eth2/beacon_chain/req/${name}/${version}/ssz_snappy`;
const BY_ROOT_THAT_MAY_MISS = [protocol('blob_sidecars_by_root'), protocol('data_column_sidecars_by_root')];
const OTHERS = [
  protocol('beacon_blocks_by_range', 2),
  protocol('beacon_blocks_by_root', 2),
  protocol('blob_sidecars_by_range'),
  protocol('data_column_sidecars_by_range'),
  protocol('execution_payload_envelopes_by_range'),
  protocol('execution_payload_envelopes_by_root'),
  protocol('light_client_updates_by_range'),
  protocol('light_client_optimistic_update'),
];
const ALL = [...BY_ROOT_THAT_MAY_MISS, ...OTHERS];

/** What the answer costs there: 'fatal' is a ban. */
type Cost = (code: number | null, name: string) => number | 'fatal';

/**
 * Lighthouse 8.0.1 peer_manager/mod.rs `handle_rpc_error`, on yamux, where a reset is an empty answer; Grandine's eth2_libp2p has
 * the same, line by line.
 */
const lighthouse: Cost = (code, name) => {
  if (code === null) return -10;
  if (code === 1 || code === 140) return -10;
  if (code === 2 || code === 139) return -5;
  if (code !== 3) return -1;
  return /(blob_sidecars|data_column_sidecars)_by_root/.test(name) ? 0 : 'fatal';
};
/** Lodestar network/reqresp/score.ts and ReqResp.ts; Prysm blocks_fetcher.go; Teku SyncSourceBatch.java; Caplin service.go. */
const lodestar: Cost = (code) => (code === 1 ? -10 : code === 2 ? -5 : code === 3 || code === null ? 0 : -1);
const forgiving: Cost = () => 0;
/** networking/eth2_network.nim: -150 for the codes that it foresees, -500 and -100 for any other; a reset is an empty answer. */
const nimbus: Cost = (code) => (code === null ? -1_000 : code >= 1 && code <= 3 ? -150 : -600);

const CASES: [Client, Cost, (name: string) => number][] = [
  ['Lighthouse', lighthouse, (name) => (BY_ROOT_THAT_MAY_MISS.includes(name) ? 0 : -1)],
  ['Grandine', lighthouse, (name) => (BY_ROOT_THAT_MAY_MISS.includes(name) ? 0 : -1)],
  ['Lodestar', lodestar, () => 0],
  ['Prysm', forgiving, () => 0],
  ['Teku', forgiving, () => 0],
  ['Caplin', forgiving, () => 0],
  ['Nimbus', nimbus, () => -150],
];

describe.each(CASES)('what we do not have, asked for by %s', (client, cost, least) => {
  it.each(ALL)('%s costs the least there is', (name) => {
    expect(cost(refusalFor(client, name), name)).toBe(least(name));
  });
});

it.each(ALL)('nobody whom we do not know is given a code for %s: at a Lighthouse the wrong one is a ban', (name) => {
  expect(refusalFor('unknown', name)).toBeNull();
  expect(lighthouse(refusalFor('unknown', name), name)).not.toBe('fatal');
});
