import type { Reader } from '../values.ts';

export const COMMANDS = ['run', 'sentry', 'consumer', 'devnet', 'probe', 'replay', 'export', 'enr'] as const;
export type Command = (typeof COMMANDS)[number];

export interface OptionSpec<T> {
  readonly alias?: string;
  readonly describe: string;
  /** Shown in the help when the default depends on something. */
  readonly defaultText?: string;
  readonly default?: string;
  readonly read: Reader<T>;
  /** Given without a value; its text is then `true`. */
  readonly isSwitch?: boolean;
  /** The commands that have the option; absent for all of them. */
  readonly commands?: readonly Command[];
}

/** Keeps the type of what the option's text is read as. */
export function spec<T>(option: OptionSpec<T>): OptionSpec<T> {
  return option;
}

/** Where `sentry` and `consumer` look for NATS when nobody says. */
export const DEFAULT_NATS_URL = 'nats://localhost:4222';
/** Where `run` and `consumer` serve then; a sentry beside a consumer must not take it away. */
export const DEFAULT_HTTP_PORT = 8080;

export const CRAWLING: readonly Command[] = ['run', 'sentry'];
export const STORING: readonly Command[] = ['run', 'consumer'];
export const WITH_NATS: readonly Command[] = ['run', 'sentry', 'consumer', 'replay'];
export const WITH_DEVNET: readonly Command[] = ['run', 'sentry', 'devnet'];
export const WITH_DATA: readonly Command[] = ['run', 'sentry', 'consumer', 'replay', 'export'];
