import { noise } from '@chainsafe/libp2p-noise';

type CreateNoise = ReturnType<typeof noise>;

/** Begins the message of every error of the noise handshake itself. */
export const IN_NOISE = 'in the noise handshake: ';

/**
 * Noise for whom we dial. libp2p reports what goes wrong while noise is agreed on and what goes wrong in noise by one
 * error, of which only the message is left: so the message says which it was.
 */
export function tellingNoise(): CreateNoise {
  const create = noise();
  return (components) => {
    const encrypter = create(components);
    const secure = encrypter.secureOutbound.bind(encrypter);
    encrypter.secureOutbound = async (connection, options) => {
      try {
        return await secure(connection, options);
      } catch (error) {
        throw new Error(`${IN_NOISE}${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    };
    return encrypter;
  };
}
