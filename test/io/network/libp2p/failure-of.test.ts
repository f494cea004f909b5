import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import * as libp2pErrors from '@libp2p/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CAUSES, type Cause } from '../../../../src/consensus/failure.ts';
import { causeOfGoodbye, failureOf } from '../../../../src/io/network/libp2p/failure-of.ts';

const named = (name: string, properties: object = {}) => Object.assign(new Error('text'), { name, ...properties });
const causeOf = (thrown: unknown) => failureOf('dial', thrown).cause;

/** Errors that would be mistakes of this program, or of parts of libp2p that it does not use. */
const NOT_OF_PEERS = [
  'AlreadyStartedError',
  'DuplicateProtocolHandlerError',
  'InvalidCIDError',
  'InvalidMultihashError',
  'InvalidParametersError',
  'InvalidPeerScoreParamsError',
  'InvalidPeerScoreThresholdsError',
  'InvalidPrivateKeyError',
  'ListenError',
  'MissingServiceError',
  'NoContentRoutersError',
  'NoPeerRoutersError',
  'NotFoundError',
  'NotImplementedError',
  'QueriedForSelfError',
  'RecursionLimitError',
  'SigningError',
  'UnmetServiceDependenciesError',
  'UnsupportedListenAddressError',
  'UnsupportedListenAddressesError',
  'UnsupportedOperationError',
  'VerificationError',
  'WebCryptoMissingError',
];

/** Packages between us and a peer. */
const PACKAGES = [
  '@chainsafe/libp2p-gossipsub',
  '@chainsafe/libp2p-noise',
  '@chainsafe/libp2p-yamux',
  '@libp2p/crypto',
  '@libp2p/identify',
  '@libp2p/interface',
  '@libp2p/mplex',
  '@libp2p/multistream-select',
  '@libp2p/peer-record',
  '@libp2p/tcp',
  '@libp2p/utils',
  'it-byte-stream',
  'it-length-prefixed',
  'it-length-prefixed-stream',
  'libp2p',
];

async function errorNamesIn(name: string): Promise<string[]> {
  const root = new URL(`../../../../node_modules/${name}/dist/src/`, import.meta.url);
  const files = (await readdir(root, { recursive: true })).filter((file) => file.endsWith('.js'));
  const sources = await Promise.all(files.map((file) => readFile(new URL(file, root), 'utf8')));
  return sources.flatMap((source) =>
    [...source.matchAll(/\bname = ['"]([A-Za-z0-9]+Error)['"]/g)].map(([, error = '']) => error),
  );
}

describe('the cause of an error', () => {
  it('is known for every error of libp2p, or unknown on purpose', async () => {
    const names = new Set((await Promise.all(PACKAGES.map(errorNamesIn))).flat());
    expect(names.size).toBeGreaterThan(50);
    const unknown = [...names].filter((name) => causeOf(named(name)) === 'unknown').sort();
    expect(unknown).toEqual(NOT_OF_PEERS.filter((name) => names.has(name)));
    expect(NOT_OF_PEERS.filter((name) => !names.has(name))).toEqual([]);
  });

  it('is known for the classes themselves', () => {
    const classes = Object.entries(libp2pErrors).filter(([name]) => name.endsWith('Error'));
    expect(classes.length).toBeGreaterThan(25);
    for (const [name, value] of classes) {
      const error = new (value as new () => Error)();
      expect(causeOf(error) === 'unknown', name).toBe(NOT_OF_PEERS.includes(error.name));
    }
  });

  it.each<[string, unknown, Cause]>([
    ['a code before a name', named('ConnectionFailedError', { code: 'ECONNRESET' }), 'reset'],
    ['a name where the code is unknown', named('TimeoutError', { code: 'ERR_SOMETHING' }), 'timeout'],
    ['the cause within', new Error('outer', { cause: named('Error', { code: 'ECONNREFUSED' }) }), 'refused'],
    ['a number for a code', named('StreamResetError', { code: 5 }), 'reset'],
    [
      'the one that got furthest',
      new AggregateError([named('', { code: 'ECONNREFUSED' }), named('MuxerUnavailableError')]),
      'mux_failed',
    ],
    ['the first of those not ranked', new AggregateError([named('DialDeniedError'), named('DialError')]), 'gated'],
    ['none', new AggregateError([]), 'unknown'],
    ['aggregates within aggregates', new AggregateError([new AggregateError([named('TimeoutError')])]), 'timeout'],
    ['a name that every object has', named('constructor'), 'unknown'],
    ['nothing', undefined, 'unknown'],
    ['null', null, 'unknown'],
    ['a text', 'ECONNREFUSED', 'unknown'],
    ['an object without a prototype', Object.create(null), 'unknown'],
    ['a symbol', Symbol('x'), 'unknown'],
  ])('is %s', (_, thrown, cause) => {
    expect(causeOf(thrown)).toBe(cause);
  });

  it('is found for errors that contain themselves', () => {
    const circular = new Error('circular');
    circular.cause = circular;
    const aggregate = new AggregateError([circular]);
    aggregate.errors.push(aggregate);
    expect(causeOf(circular)).toBe('unknown');
    expect(causeOf(aggregate)).toBe('unknown');
  });

  it('is one of the list, whatever was thrown', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (thrown) => {
        const { cause, stage, detail } = failureOf('status', thrown);
        expect(CAUSES).toContain(cause);
        expect(stage).toBe('status');
        expect(detail?.length).toBeLessThanOrEqual(200);
      }),
    );
  });

  it('is refused for a port where nobody listens', async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    connect(1, '127.0.0.1').on('error', reject);
    await expect(promise.catch((error: unknown) => causeOf(error))).resolves.toBe('refused');
  });
});

describe('the stage of a failed dial', () => {
  it.each([
    ['EncryptionFailedError', 'security'],
    ['UnexpectedPeerError', 'security'],
    ['MuxerUnavailableError', 'mux'],
    ['TimeoutError', 'dial'],
  ])('after %s is %s, that of a request its own', (name, stage) => {
    expect(failureOf('dial', named(name)).stage).toBe(stage);
    expect(failureOf('metadata', named(name)).stage).toBe('metadata');
  });
});

describe('an error of the security handshake', () => {
  it.each([
    ['read ECONNRESET', { stage: 'dial', cause: 'reset' }],
    ['unexpected end of input', { stage: 'security', cause: 'noise_failed' }],
    ['in the noise handshake: read ECONNRESET', { stage: 'security', cause: 'noise_failed' }],
    ['protocol selection failed', { stage: 'security', cause: 'noise_failed' }],
  ])('that says "%s" belongs to what had begun', (message, expected) => {
    expect(failureOf('dial', named('EncryptionFailedError', { message }))).toMatchObject(expected);
  });
});

describe('a goodbye', () => {
  it.each([
    [1n, 'eof'],
    [2n, 'irrelevant_network'],
    [3n, 'fault'],
    [128n, 'irrelevant_network'],
    [129n, 'too_many_peers'],
    [130n, 'rate_limited'],
    [250n, 'banned'],
    [251n, 'banned'],
    [252n, 'banned'],
    [0n, 'eof'],
    [2n ** 64n - 1n, 'eof'],
  ])('for reason %i is %s', (reason, cause) => {
    expect(causeOfGoodbye(reason)).toBe(cause);
  });
});
