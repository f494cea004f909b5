import { parseCommandLine } from './command-line.ts';
import type { Command } from './option-table.ts';
import { commandLineSource, environmentSource, type Options, readOptions } from './options.ts';
import { UsageError } from './usage-error.ts';

/** Runs one command to its end and answers with its exit code. */
type Run = (options: Options, positional: readonly string[]) => Promise<number>;

/** Loaded when they are called, so that `--help` answers at once. */
const LOAD: Readonly<Record<Command, () => Promise<Run>>> = {
  run: async () => (await import('./run.ts')).run,
  sentry: async () => (await import('./sentry.ts')).sentry,
  consumer: async () => (await import('./consumer.ts')).consumer,
  devnet: async () => (await import('./devnet.ts')).devnet,
  probe: async () => (await import('./probe.ts')).probe,
  enr: async () => (await import('./enr.ts')).enr,
  export: async () => (await import('./export.ts')).exportView,
  replay: async () => (await import('./replay.ts')).replay,
};

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

export interface MainOptions {
  /** Called once the command has begun, and listens for signals if it is one that ends in good order. */
  readonly onStarted?: () => void;
}

/** Reads the command line and runs the command. Never rejects: what went wrong is said in one line. */
export async function main(
  args: readonly string[],
  { onStarted = () => undefined }: MainOptions = {},
): Promise<number> {
  try {
    const call = await parseCommandLine(args);
    if (call === null) return 0;
    const environment = environmentSource(process.env);
    const config = call.config ?? environment.texts['config'];
    const options = readOptions(
      commandLineSource(call.texts),
      environment,
      ...(config === undefined ? [] : [(await import('./config-file.ts')).configFileSource(String(config))]),
    );
    const run = await LOAD[call.command]();
    const running = run(options, call.positional);
    onStarted();
    return await running;
  } catch (error) {
    process.stderr.write(`valtrack: ${oneLine(error)}\n`);
    if (error instanceof UsageError) return EXIT_USAGE;
    if (process.env['VALTRACK_LOG_LEVEL'] === 'trace') process.stderr.write(`${(error as Error).stack}\n`);
    return EXIT_FAILED;
  }
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s*\n\s*/g, '; ').trim();
}
