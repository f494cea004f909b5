import { Discv5 } from '@chainsafe/discv5';
import type { SignableENR } from '@chainsafe/enr';
import { multiaddr } from '@multiformats/multiaddr';
import type { Endpoints } from './endpoints.ts';
import type { NodeTruth } from './truth.ts';

/** Makes a node's discv5, which is not started yet. */
export function createDiscovery(truth: NodeTruth, record: SignableENR, { discovery }: Endpoints): Discv5 {
  const bindAddrs = {
    ...(discovery.ip4 === undefined ? {} : { ip4: multiaddr(discovery.ip4) }),
    ...(discovery.ip6 === undefined ? {} : { ip6: multiaddr(discovery.ip6) }),
  };
  return Discv5.create({
    enr: record,
    privateKey: truth.privateKey,
    // One of the two is there, which the type asks for and a spread does not show.
    bindAddrs: bindAddrs as Parameters<typeof Discv5.create>[0]['bindAddrs'],
    config: {
      // A peer behind a router does not know its address, and peers' opinions must not change that of a node.
      allowUnverifiedSessions: true,
      enrUpdate: false,
    },
  });
}
