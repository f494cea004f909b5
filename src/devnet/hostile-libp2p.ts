import { noise } from '@chainsafe/libp2p-noise';
import { privateKeyFromRaw } from '@libp2p/crypto/keys';
import type { ConnectionEncrypter, Libp2p, PrivateKey } from '@libp2p/interface';
import { sha256 } from './bytes.ts';

/** Parts of libp2p that do not do what they should. */

type NoiseComponents = Parameters<ReturnType<typeof noise>>[0];

/** Noise that ends the connection as soon as its handshake is done. */
export function noiseThatEnds(): (components: NoiseComponents) => ConnectionEncrypter {
  return (components) => {
    const honest = noise()(components);
    return {
      protocol: honest.protocol,
      secureOutbound: (connection, options) => honest.secureOutbound(connection, options),
      secureInbound: async (connection, options) => {
        // Without this the muxer would be agreed on during the handshake.
        await honest.secureInbound(connection, { ...options, skipStreamMuxerNegotiation: true });
        throw new Error('this node ends connections here');
      },
    };
  };
}

/** Resets every stream that a peer opens for one of these protocols. */
export async function resetStreams(libp2p: Libp2p, protocols: readonly string[]): Promise<void> {
  await libp2p.handle([...protocols], ({ stream }) => stream.abort(new Error('this node resets such streams')));
}

/** A key that belongs to no record. */
export function strangersKey(key: PrivateKey): PrivateKey {
  return privateKeyFromRaw(new Uint8Array(sha256(key.raw)));
}
