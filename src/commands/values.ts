import { isIP } from 'node:net';
import { UsageError } from './usage-error.ts';

/**
 * Reading option values: each reader takes the text a user wrote, with a label that says where (`--nodes`,
 * `VALTRACK_NODES`), and throws a UsageError that says what is allowed.
 */
export type Reader<T> = (label: string, text: string) => T;

export const text: Reader<string> = (label, value) => {
  if (value.trim() === '') throw new UsageError(`${label} needs a value`);
  return value;
};

export const ipAddress: Reader<string> = (label, value) => {
  if (isIP(value) === 0) throw new UsageError(`${label} must be an IP address such as 0.0.0.0 or ::, not "${value}"`);
  return value;
};

/** A name that other programs take as part of theirs. */
export const name: Reader<string> = (label, value) => {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(value)) {
    throw new UsageError(`${label} must be at most 64 letters, digits, - and _, not "${value}"`);
  }
  return value;
};

/** Several, with commas between them. */
export const texts: Reader<readonly string[]> = (label, value) => {
  const items = value.split(',').map((item) => item.trim());
  if (items.includes('')) throw new UsageError(`${label} needs a value, or several with commas between them`);
  return items;
};

/** What goes into a header of a request; never repeated in a message. */
export const secret: Reader<string> = (label, value) => {
  if (!/^[!-~]+$/.test(value.trim())) throw new UsageError(`${label} needs a value of letters, digits and signs`);
  return value.trim();
};

/** Some of the choices in an order, with commas between them; `none` of them is the empty list. */
export function listOf<const Choice extends string>(choices: readonly Choice[]): Reader<readonly Choice[]> {
  const allowed = `must be none, or some of ${choices.join(', ')} with commas between them`;
  return (label, value) => {
    if (value.trim() === 'none') return [];
    return value.split(',').map((item) => {
      const choice = choices.find((candidate) => candidate === item.trim());
      if (choice === undefined) throw new UsageError(`${label} ${allowed}, not "${value}"`);
      return choice;
    });
  };
}

export function oneOf<const Choice extends string>(choices: readonly Choice[]): Reader<Choice> {
  return (label, value) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw new UsageError(`${label} must be one of ${choices.join(', ')}, not "${value}"`);
    return choice;
  };
}

export function integer(minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): Reader<number> {
  const range = maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  return (label, value) => {
    const number = /^-?\d+$/.test(value.trim()) ? Number(value) : Number.NaN;
    if (!Number.isSafeInteger(number) || number < minimum || number > maximum) {
      throw new UsageError(`${label} must be a whole number ${range}, not "${value}"`);
    }
    return number;
  };
}

/** QUIC is one port above, and needs one. */
const MAX_LISTEN_PORT = 65_534;
/** In a node record smaller ones have a form that not every client takes. */
const MIN_LISTEN_PORT = 256;

export const listenPort: Reader<number> = (label, value) => {
  const port = /^\d+$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (port === 0 || (port >= MIN_LISTEN_PORT && port <= MAX_LISTEN_PORT)) return port;
  throw new UsageError(`${label} must be 0 or a number from ${MIN_LISTEN_PORT} to ${MAX_LISTEN_PORT}, not "${value}"`);
};

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Timers of the platform fire at once when asked for more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** NaN when it is none. */
function millisecondsOf(value: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value.trim());
  return Number(match?.[1]) * (UNITS_MS[match?.[2] ?? ''] ?? Number.NaN);
}

/** A duration such as `90s`, `1.5h` or `500ms`, in milliseconds. */
export const durationMs: Reader<number> = (label, value) => {
  const duration = millisecondsOf(value);
  if (!Number.isFinite(duration) || duration < 1 || duration > MAX_TIMER_MS) {
    throw new UsageError(
      `${label} must be a duration such as 90s, 15m or 2h (units ms, s, m, h, d; at most 24d), not "${value}"`,
    );
  }
  return duration;
};

/** How long something is kept: a duration of any length, or infinite for `forever`, and for `0`, which sets no limit. */
export const keptMs: Reader<number> = (label, value) => {
  if (['forever', '0'].includes(value.trim())) return Number.POSITIVE_INFINITY;
  const kept = millisecondsOf(value);
  if (!Number.isFinite(kept) || kept < 1) {
    throw new UsageError(
      `${label} must be a duration such as 12h or 90d (units ms, s, m, h, d), or forever, not "${value}"`,
    );
  }
  return kept;
};

const KILO = 1_000;
const KIBI = 1_024;
const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  ...Object.fromEntries(['KB', 'MB', 'GB', 'TB'].map((unit, index) => [unit, KILO ** (index + 1)])),
  ...Object.fromEntries(['KiB', 'MiB', 'GiB', 'TiB'].map((unit, index) => [unit, KIBI ** (index + 1)])),
};

/** A size such as `2GiB`, `500MB` or `1.5GB`, in bytes. */
export const sizeBytes: Reader<number> = (label, value) => {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)$/.exec(value.trim());
  const bytes = Math.floor(Number(match?.[1]) * (SIZES[match?.[2] ?? ''] ?? Number.NaN));
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new UsageError(
      `${label} must be a size such as 2GiB or 500MB (units B, KB, MB, GB, TB, KiB, MiB, GiB, TiB), not "${value}"`,
    );
  }
  return bytes;
};

export const url =
  (...schemes: readonly string[]): Reader<string> =>
  (label, value) => {
    const first = value.split(',')[0] ?? '';
    const scheme = URL.canParse(first) ? new URL(first).protocol.replace(':', '') : null;
    if (scheme === null || !schemes.includes(scheme)) {
      throw new UsageError(`${label} must be an address such as ${schemes[0]}://host:port`);
    }
    return value;
  };

export const yesOrNo: Reader<boolean> = (label, value) => oneOf(['true', 'false'])(label, value) === 'true';
