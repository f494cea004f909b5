import { inspect } from 'node:util';
import { type Cause, type Failure, failure, type Stage } from '../../../consensus/failure.ts';
import { IN_NOISE } from './security.ts';

/** Turns what libp2p and Node throw into the closed list of causes, by error names and codes. */

const BY_NAME: ReadonlyMap<string, Cause> = new Map([
  ['AbortError', 'timeout'],
  ['TimeoutError', 'timeout'],
  ['UnexpectedPeerError', 'peer_id_mismatch'],
  ['InvalidCryptoExchangeError', 'noise_failed'],
  ['EncryptionFailedError', 'noise_failed'],
  ['MuxerUnavailableError', 'mux_failed'],
  ['BothClientsError', 'mux_failed'],
  ['DecodeInvalidVersionError', 'mux_failed'],
  ['InvalidFrameError', 'mux_failed'],
  ['InvalidStateError', 'mux_failed'],
  ['NotMatchingPingError', 'mux_failed'],
  ['ReceiveWindowExceededError', 'mux_failed'],
  ['StreamAlreadyExistsError', 'mux_failed'],
  ['UnrequestedPingError', 'mux_failed'],
  ['MuxerClosedError', 'eof'],
  ['UnsupportedProtocolError', 'protocol_unsupported'],
  ['UnhandledProtocolError', 'protocol_unsupported'],
  ['StreamResetError', 'reset'],
  ['StreamStateError', 'eof'],
  ['ConnectionClosedError', 'eof'],
  ['ConnectionClosingError', 'eof'],
  ['UnexpectedEOFError', 'eof'],
  ['ConnectionFailedError', 'refused'],
  ['ConnectionInterceptedError', 'gated'],
  ['ConnectionDeniedError', 'gated'],
  ['DialDeniedError', 'gated'],
  ['NoValidAddressesError', 'no_address'],
  ['InvalidMultiaddrError', 'no_address'],
  ['InvalidPeerIdError', 'no_address'],
  ['TransportUnavailableError', 'no_transport'],
  ['DialError', 'resource_limited'],
  ['QueueFullError', 'resource_limited'],
  ['RateLimitError', 'resource_limited'],
  ['StreamInputBufferError', 'resource_limited'],
  ['LimitedConnectionError', 'resource_limited'],
  ['TooManyOutboundProtocolStreamsError', 'resource_limited'],
  ['TooManyInboundProtocolStreamsError', 'resource_limited'],
  ['ProtocolError', 'bad_response'],
  ['InvalidMessageError', 'bad_response'],
  ['InvalidMessageLengthError', 'bad_response'],
  ['InvalidDataLengthError', 'bad_response'],
  ['InvalidDataLengthLengthError', 'bad_response'],
  ['InvalidPublicKeyError', 'bad_response'],
  ['InvalidSignatureError', 'bad_response'],
  ['UnsupportedKeyTypeError', 'bad_response'],
  ['NotStartedError', 'cancelled'],
]);

const BY_CODE: ReadonlyMap<string, Cause> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ECONNRESET', 'reset'],
  ['ECONNABORTED', 'reset'],
  ['EPIPE', 'reset'],
  ['ETIMEDOUT', 'timeout'],
  ['EHOSTUNREACH', 'host_unreachable'],
  ['EHOSTDOWN', 'host_unreachable'],
  ['ENETUNREACH', 'net_unreachable'],
  ['ENETDOWN', 'net_unreachable'],
  ['EADDRNOTAVAIL', 'addr_unassignable'],
  ['EINVAL', 'addr_unassignable'],
  ['EACCES', 'gated'],
  ['EPERM', 'gated'],
  ['EMFILE', 'fd_exhausted'],
  ['ENFILE', 'fd_exhausted'],
  ['ENOBUFS', 'fd_exhausted'],
]);

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
  const detail = thrown instanceof Error ? thrown.message : inspect(thrown);
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
  const code = 'code' in thrown && typeof thrown.code === 'string' ? BY_CODE.get(thrown.code) : undefined;
  return code ?? resetBeforeSecurity(thrown) ?? BY_NAME.get(thrown.name) ?? causeOf(thrown.cause, depth + 1);
}

/** A connection that is reset before noise was agreed on has failed as a connection. */
function resetBeforeSecurity({ name, message }: Error): Cause | undefined {
  const before = name === 'EncryptionFailedError' && !message.startsWith(IN_NOISE);
  return before && /ECONNRESET|EPIPE/.test(message) ? 'reset' : undefined;
}

/**
 * What a Goodbye reason means (phase0/p2p-interface.md "Goodbye", and the codes above 128 that clients use; 130 is Teku's
 * DisconnectReason.RATE_LIMITED).
 */
export function causeOfGoodbye(reason: bigint): Cause {
  switch (reason) {
    case 2n:
    case 128n:
      return 'irrelevant_network';
    case 129n:
      return 'too_many_peers';
    case 130n:
      return 'rate_limited';
    case 3n:
      return 'fault';
    case 250n:
    case 251n:
    case 252n:
      return 'banned';
    default:
      return 'eof';
  }
}
