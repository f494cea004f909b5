/** Beacon node software, from the agent string that libp2p's identify carries. */

export const CLIENTS = ['Lighthouse', 'Prysm', 'Teku', 'Nimbus', 'Lodestar', 'Grandine', 'Caplin', 'unknown'] as const;
export type Client = (typeof CLIENTS)[number];

const NAMES: ReadonlyMap<string, Client> = new Map([
  ['lighthouse', 'Lighthouse'],
  ['prysm', 'Prysm'],
  ['teku', 'Teku'],
  ['nimbus', 'Nimbus'],
  ['lodestar', 'Lodestar'],
  ['js-libp2p', 'Lodestar'],
  ['grandine', 'Grandine'],
  ['caplin', 'Caplin'],
  ['erigon', 'Caplin'],
]);

/** The client an agent string such as `teku/teku/v25.1.0/linux-x86_64` belongs to. */
export function clientOf(agent: string): Client {
  const name = /^[a-z0-9-]+/.exec(agent.slice(0, 64).toLowerCase())?.[0] ?? '';
  return NAMES.get(name) ?? 'unknown';
}
