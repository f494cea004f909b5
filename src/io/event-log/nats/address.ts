import { EventLogConfigError } from './errors.ts';

/** Where NATS is and how to log in, apart from each other so that the first can be logged. */
export interface NatsAddress {
  /** `host:port` of each server. */
  readonly servers: readonly string[];
  readonly tls: boolean;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
}

const DEFAULT_PORT = '4222';

/**
 * Reads `nats://[user:password@ or token@]host[:port]`, or `tls://…`, or several with commas between them, of which
 * the first credentials count.
 * @throws EventLogConfigError that does not repeat the credentials.
 */
export function parseNatsUrl(text: string): NatsAddress {
  const urls = text.split(',').map(parseOne);
  const servers = urls.map((url) => `${url.hostname}:${url.port || DEFAULT_PORT}`);
  const tls = urls.some((url) => url.protocol === 'tls:');
  const login = urls.find((url) => url.username !== '');
  if (login === undefined) return { servers, tls };
  const user = decodeURIComponent(login.username);
  if (login.password === '') return { servers, tls, token: user };
  return { servers, tls, user, pass: decodeURIComponent(login.password) };
}

function parseOne(text: string): URL {
  const trimmed = text.trim();
  const url = URL.parse(trimmed.includes('://') ? trimmed : `nats://${trimmed}`);
  const usable = url !== null && ['nats:', 'tls:'].includes(url.protocol) && url.hostname !== '';
  if (usable) return url;
  const shown = trimmed.replace(/[^/]*@/, '…@');
  throw new EventLogConfigError(`${shown} is not a NATS address; write nats://host:4222 or tls://host:4222`);
}
