import { noise } from '@chainsafe/libp2p-noise';
import { type ConnectionEncrypter, UnexpectedPeerError } from '@libp2p/interface';

/**
 * What a dial fails with when somebody else answers. libp2p passes on nothing but the text of an error during
 * encryption, so the text is ours.
 */
export const OTHER_PEER = 'another peer answers at this address';

/** Noise whose refusal of a wrong identity survives libp2p's upgrade of the connection. */
export function recognisingNoise(): (...components: Parameters<ReturnType<typeof noise>>) => ConnectionEncrypter {
  return (components) => {
    const encrypter = noise()(components);
    return {
      protocol: encrypter.protocol,
      secureInbound: (connection, options) => encrypter.secureInbound(connection, options),
      secureOutbound: async (connection, options) => {
        try {
          return await encrypter.secureOutbound(connection, options);
        } catch (error) {
          throw error instanceof Error && error.name === UnexpectedPeerError.name
            ? new UnexpectedPeerError(OTHER_PEER)
            : error;
        }
      },
    };
  };
}
