import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface';

/** Where a node refuses connections before anybody can say a word. Open until its peer manager has its own opinion. */
export interface Gate {
  /** Asked before noise, of connections that come in. */
  admitsAddress(ip: string): boolean;
  /** Asked after noise, of connections either way. */
  admitsPeer(peerId: string, direction: 'inbound' | 'outbound'): boolean;
}

export function openGate(): Gate {
  return { admitsAddress: () => true, admitsPeer: () => true };
}

/** The gate as libp2p asks it. QUIC has no step between noise and muxer, so it is asked at the end of that. */
export function gaterOf(gate: Gate): ConnectionGater {
  const isAddressDenied = ({ remoteAddr }: MultiaddrConnection) => !gate.admitsAddress(remoteAddr.toOptions().host);
  const isInboundDenied = (peer: PeerId) => !gate.admitsPeer(peer.toString(), 'inbound');
  const isOutboundDenied = (peer: PeerId) => !gate.admitsPeer(peer.toString(), 'outbound');
  return {
    denyInboundConnection: isAddressDenied,
    denyInboundEncryptedConnection: isInboundDenied,
    denyInboundUpgradedConnection: isInboundDenied,
    denyOutboundEncryptedConnection: isOutboundDenied,
  };
}
