import { UsageError } from './usage-error.ts';

/** Reading option values: each reader takes the text a user wrote and throws a UsageError that says what is allowed. */
export type Reader<T> = (name: string, text: string) => T;

export const text: Reader<string> = (name, value) => {
  if (value.trim() === '') throw new UsageError(`--${name} needs a value`);
  return value;
};

export function oneOf<const Choice extends string>(choices: readonly Choice[]): Reader<Choice> {
  return (name, value) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw new UsageError(`--${name} must be one of ${choices.join(', ')}, not "${value}"`);
    return choice;
  };
}

export function integer(minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): Reader<number> {
  const range = maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  return (name, value) => {
    const number = /^-?\d+$/.test(value.trim()) ? Number(value) : Number.NaN;
    if (!Number.isSafeInteger(number) || number < minimum || number > maximum) {
      throw new UsageError(`--${name} must be a whole number ${range}, not "${value}"`);
    }
    return number;
  };
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `90s`, `1.5h` or `500ms`, in milliseconds. */
export const durationMs: Reader<number> = (name, value) => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value.trim());
  const unitMs = UNITS_MS[match?.[2] ?? ''];
  const duration = Number(match?.[1]) * (unitMs ?? Number.NaN);
  if (!Number.isFinite(duration) || duration <= 0) {
    throw new UsageError(`--${name} must be a duration such as 90s, 15m or 2h (units ms, s, m, h, d), not "${value}"`);
  }
  return duration;
};

export const url =
  (...schemes: readonly string[]): Reader<string> =>
  (name, value) => {
    const first = value.split(',')[0] ?? '';
    const scheme = URL.canParse(first) ? new URL(first).protocol.replace(':', '') : null;
    if (scheme === null || !schemes.includes(scheme)) {
      throw new UsageError(`--${name} must be an address such as ${schemes[0]}://host:port`);
    }
    return value;
  };
