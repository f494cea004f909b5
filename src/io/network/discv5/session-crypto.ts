import secp256k1 from 'secp256k1';

/** What discv5 asks of a curve (its `util/crypto.ts`): keys of 33 or 65 bytes, signatures of 64, secrets of 33. */
interface SessionCurve {
  publicKeyVerify(publicKey: Uint8Array): boolean;
  publicKeyCreate(privateKey: Uint8Array): Uint8Array;
  publicKeyConvert(publicKey: Uint8Array, compressed: boolean): Uint8Array;
  sign(hash: Uint8Array, privateKey: Uint8Array): Uint8Array;
  verify(publicKey: Uint8Array, hash: Uint8Array, signature: Uint8Array): boolean;
  deriveSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array;
}

interface CryptoModule {
  readonly defaultCrypto: { readonly secp256k1: SessionCurve };
  setDiscv5Crypto(crypto: { readonly secp256k1: SessionCurve }): void;
}

/**
 * Makes the sessions of discv5 with native secp256k1: a handshake, and a crawl round has one with every node, costs a
 * twentieth of what it does with the default. To be called before the first session; calling it again does nothing.
 */
export async function useNativeSessionCrypto(): Promise<void> {
  const { defaultCrypto, setDiscv5Crypto } = await cryptoModule();
  setDiscv5Crypto({ ...defaultCrypto, secp256k1: { ...defaultCrypto.secp256k1, ...NATIVE_CURVE } });
}

/** discv5 has a door for another curve, and its package forgets to export it. */
async function cryptoModule(): Promise<CryptoModule> {
  return (await import(new URL('./util/crypto.js', import.meta.resolve('@chainsafe/discv5')).href)) as CryptoModule;
}

const NATIVE_CURVE: SessionCurve = {
  publicKeyVerify: (publicKey) => secp256k1.publicKeyVerify(publicKey),
  publicKeyCreate: (privateKey) => secp256k1.publicKeyCreate(privateKey, true),
  publicKeyConvert: (publicKey, compressed) => secp256k1.publicKeyConvert(publicKey, compressed),
  sign: (hash, privateKey) => secp256k1.ecdsaSign(hash, privateKey).signature,
  verify: (publicKey, hash, signature) => {
    try {
      return secp256k1.ecdsaVerify(signature, hash, publicKey);
    } catch {
      // A signature that is none, of whatever length.
      return false;
    }
  },
  // In constant time, unlike a multiplication of the point: strangers choose the other key, and may measure.
  deriveSecret: (privateKey, publicKey) =>
    secp256k1.ecdh(publicKey, privateKey, { hashfn: compressedPoint }, new Uint8Array(33)),
};

/** The point itself, of which discv5 derives its keys (discv5-theory.md, "Identity-Specific Cryptography"). */
function compressedPoint(x: Uint8Array, y: Uint8Array): Uint8Array {
  return Uint8Array.of(2 + ((y.at(-1) ?? 0) & 1), ...x);
}
