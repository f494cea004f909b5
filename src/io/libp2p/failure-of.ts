import { type Cause, type Failure, failure, type Stage } from '../../consensus/failure.ts';

/** Turns what libp2p and Node throw into the closed list of causes, by error names and codes, never by message texts. */

const BY_NAME: Readonly<Record<string, Cause>> = {
  AbortError: 'timeout',
  TimeoutError: 'timeout',
  UnexpectedPeerError: 'peer_id_mismatch',
  InvalidCryptoExchangeError: 'noise_failed',
  InvalidCryptoTransmissionError: 'noise_failed',
  EncryptionFailedError: 'noise_failed',
  MuxerUnavailableError: 'mux_failed',
  MuxerClosedError: 'eof',
  UnsupportedProtocolError: 'protocol_unsupported',
  StreamResetError: 'reset',
  StreamStateError: 'eof',
  ConnectionClosedError: 'eof',
  ConnectionClosingError: 'eof',
  UnexpectedEOFError: 'eof',
  ConnectionInterceptedError: 'gated',
  ConnectionDeniedError: 'gated',
  DialDeniedError: 'gated',
  NoValidAddressesError: 'no_address',
  TransportUnavailableError: 'no_transport',
  DialSelfError: 'self',
  TooManyOutboundProtocolStreamsError: 'resource_limited',
  TooManyInboundProtocolStreamsError: 'resource_limited',
  ConnectionFailedError: 'refused',
};

const BY_CODE: Readonly<Record<string, Cause>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  EHOSTUNREACH: 'host_unreachable',
  EHOSTDOWN: 'host_unreachable',
  ENETUNREACH: 'net_unreachable',
  EADDRNOTAVAIL: 'addr_unassignable',
  EMFILE: 'fd_exhausted',
  ENFILE: 'fd_exhausted',
};

/** Of several addresses tried, the failure that got furthest says most. */
const FURTHEST_FIRST: readonly Cause[] = [
  'peer_id_mismatch',
  'mux_failed',
  'noise_failed',
  'reset',
  'eof',
  'refused',
  'timeout',
  'host_unreachable',
  'net_unreachable',
];

const SECURITY: ReadonlySet<Cause> = new Set(['noise_failed', 'peer_id_mismatch']);

/** Total: whatever was thrown becomes a failure of `stage`, or of the part of the dial that it belongs to. */
export function failureOf(stage: Stage, thrown: unknown): Failure {
  const cause = causeOf(thrown, 0);
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return failure(partOf(stage, cause), cause, detail);
}

function partOf(stage: Stage, cause: Cause): Stage {
  if (stage !== 'dial') return stage;
  if (SECURITY.has(cause)) return 'security';
  return cause === 'mux_failed' ? 'mux' : 'dial';
}

const MAX_DEPTH = 4;

function causeOf(thrown: unknown, depth: number): Cause {
  if (!(thrown instanceof Error) || depth > MAX_DEPTH) return 'unknown';
  if (thrown instanceof AggregateError) {
    const causes = thrown.errors.map((inner) => causeOf(inner, depth + 1));
    return FURTHEST_FIRST.find((cause) => causes.includes(cause)) ?? causes[0] ?? 'unknown';
  }
  const code = 'code' in thrown && typeof thrown.code === 'string' ? BY_CODE[thrown.code] : undefined;
  return code ?? BY_NAME[thrown.name] ?? causeOf(thrown.cause, depth + 1);
}

/** What a Goodbye reason means (phase0/p2p-interface.md "Goodbye", and the codes above 128 that clients use). */
export function causeOfGoodbye(reason: bigint): Cause {
  switch (reason) {
    case 2n:
    case 128n:
      return 'irrelevant_network';
    case 129n:
      return 'too_many_peers';
    case 250n:
    case 251n:
    case 252n:
      return 'banned';
    default:
      return 'eof';
  }
}
