import { createECDH, createHash } from 'node:crypto';
import { Secp256k1Keypair } from '@chainsafe/discv5';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { useNativeSessionCrypto } from '../../../../src/io/network/discv5/session-crypto.ts';

/** Test vectors: discv5-wire-test-vectors.md, "Cryptographic Primitives". */

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

const SECRET_KEY = fromHex('fb757dc581730490a1d7a00deea65e9b1936924caaea8f44d476014856b68736');
const PUBLIC_KEY = fromHex('039961e4c2356d61bedb83052c115d311acb3a96f5777296dcf297351130266231');
const SHARED_SECRET = '033b11a2a1f214567e1537ce5e509ffd9b21373247f2a3ff6841f4976f53165e7e';
const CHALLENGE_DATA = fromHex(
  '000000000000000000000000000000006469736376350001010102030405060708090a0b0c00180102030405060708090a0b0c0d0e0f100000000000000000',
);
const NODE_ID_B = fromHex('bbbb9d047f0488c0b5a93c1c3f2d8bafc7c8ff337024a55434a0d0555de64db9');
const ID_SIGNATURE =
  '94852a1e2318c4e5e9d422c98eaf19d1d90d876b29cd06ca7cb7546d0fff7b484fe86c09a064fe72bdbef73ba8e9c34df0cd2b53e9d65528c2c7f336d5dfc6e6';

const signed = createHash('sha256')
  .update('discovery v5 identity proof')
  .update(CHALLENGE_DATA)
  .update(PUBLIC_KEY)
  .update(NODE_ID_B)
  .digest();

let own: InstanceType<typeof Secp256k1Keypair>;
beforeAll(async () => {
  await useNativeSessionCrypto();
  own = new Secp256k1Keypair(SECRET_KEY);
});

describe('the sessions of discv5', () => {
  it('derive the secret of the specification', () => {
    expect(toHex(own.deriveSecret(new Secp256k1Keypair(undefined, PUBLIC_KEY)))).toBe(SHARED_SECRET);
  });

  it('sign and verify the id nonce of the specification', () => {
    expect(toHex(own.sign(signed))).toBe(ID_SIGNATURE);
    expect(own.verify(signed, fromHex(ID_SIGNATURE))).toBe(true);
  });

  it('agree with the curve of Node, whoever the two are', () => {
    // Any number below the order of the curve, which begins with sixteen bytes of nearly all ones.
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter(([first = 0]) => first > 0 && first < 255);
    fc.assert(
      fc.property(key, key, (own, other) => {
        const [ours, theirs] = [new Secp256k1Keypair(own), createECDH('secp256k1')];
        theirs.setPrivateKey(other);
        const theirKey = new Secp256k1Keypair(undefined, new Uint8Array(theirs.getPublicKey(null, 'compressed')));
        const secret = ours.deriveSecret(theirKey);
        expect(toHex(secret.subarray(1))).toBe(theirs.computeSecret(Buffer.from(ours.publicKey)).toString('hex'));
        expect([2, 3]).toContain(secret[0]);
      }),
    );
  });

  it('take no other bytes for a signature, and none for a reason to fail', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(own.verify(signed, bytes)).toBe(false);
      }),
    );
    for (const length of [63, 64, 65]) expect(own.verify(signed, new Uint8Array(length).fill(255))).toBe(false);
  });

  it('refuse what is no key', () => {
    expect(() => new Secp256k1Keypair(undefined, new Uint8Array(33).fill(255))).toThrow();
    expect(() => new Secp256k1Keypair(new Uint8Array(32))).toThrow();
  });
});
