import { CRAWL_OPTIONS } from './options/crawl-options.ts';
import { DEVNET_OPTIONS } from './options/devnet-options.ts';
import { OUTPUT_OPTIONS } from './options/output-options.ts';
import { PLACE_OPTIONS } from './options/place-options.ts';
import { PROGRAM_OPTIONS } from './options/program-options.ts';
import { STORE_OPTIONS } from './options/store-options.ts';

export { COMMANDS, type Command, DEFAULT_HTTP_PORT, DEFAULT_NATS_URL, type OptionSpec } from './options/option-spec.ts';

/** Every option of every command: what yargs shows, and how the value is read. */
export const OPTIONS = {
  ...PROGRAM_OPTIONS,
  ...PLACE_OPTIONS,
  ...DEVNET_OPTIONS,
  ...STORE_OPTIONS,
  ...CRAWL_OPTIONS,
  ...OUTPUT_OPTIONS,
} as const;

export type OptionName = keyof typeof OPTIONS;
