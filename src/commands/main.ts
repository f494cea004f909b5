import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import yargs, { type Argv } from 'yargs';
import {
  COMMANDS,
  type Command,
  environmentTexts,
  OPTIONS,
  type OptionName,
  type Options,
  readOptions,
} from './options.ts';
import { UsageError } from './usage-error.ts';

/** Runs one command to its end and answers with its exit code. */
type Run = (options: Options, positional: readonly string[]) => Promise<number>;

interface CommandSpec {
  readonly usage: string;
  readonly describe: string;
  /** Loaded when it is called, so that `--help` answers at once. */
  readonly load: () => Promise<Run>;
}

const COMMAND_SPECS: Readonly<Record<Command, CommandSpec>> = {
  run: {
    usage: 'run',
    describe: 'Crawl, store and serve in one process',
    load: async () => (await import('./run.ts')).run,
  },
  sentry: {
    usage: 'sentry',
    describe: 'Crawl and publish to NATS JetStream',
    load: async () => (await import('./sentry.ts')).sentry,
  },
  consumer: {
    usage: 'consumer',
    describe: 'Consume from NATS JetStream, store and serve',
    load: async () => (await import('./consumer.ts')).consumer,
  },
  devnet: {
    usage: 'devnet',
    describe: 'Run a network of simulated beacon nodes on loopback whose truth is known',
    load: async () => (await import('./devnet.ts')).devnet,
  },
  replay: {
    usage: 'replay <file...>',
    describe: 'Feed recorded events (.ndjson, .log, .csv, .parquet, -) into the event log',
    load: async () => (await import('./replay.ts')).replay,
  },
};

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Reads the command line and runs the command. Never rejects: what went wrong is said in one line. */
export async function main(args: readonly string[]): Promise<number> {
  let chosen: { readonly command: Command; readonly argv: Readonly<Record<string, unknown>> } | undefined;
  try {
    const parser = commandLine(args, (command, argv) => {
      chosen = { command, argv };
    });
    await parser.parse();
    if (chosen === undefined) return 0;
    const { command, argv } = chosen;
    refuseForeignOptions(command, args);
    const environment = environmentTexts(process.env);
    const config = argv['config'] ?? environment['config'];
    const options = readOptions(argv, environment, config === undefined ? {} : readConfig(String(config)));
    const run = await COMMAND_SPECS[command].load();
    const files = argv['file'];
    return await run(options, Array.isArray(files) ? files.map(String) : []);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    process.stderr.write(`valtrack: ${oneLine(error)}\n`);
    if (!isUsage && process.env['VALTRACK_LOG_LEVEL'] === 'trace') process.stderr.write(`${(error as Error).stack}\n`);
    return isUsage ? EXIT_USAGE : EXIT_FAILED;
  }
}

function commandLine(args: readonly string[], choose: (command: Command, argv: Record<string, unknown>) => void): Argv {
  let parser = yargs([...args])
    .scriptName('valtrack')
    .usage('$0 <command>\n\nFinds the beacon nodes of an Ethereum network and estimates the validators behind them.')
    .parserConfiguration({ 'duplicate-arguments-array': false, 'camel-case-expansion': false, 'parse-numbers': false })
    .option('config', { describe: 'YAML file with options, by their names here', type: 'string', requiresArg: true })
    .options(globalOptions())
    .version(version())
    .alias('h', 'help')
    .strict()
    .demandCommand(1, `name a command: ${COMMANDS.join(', ')}`)
    .recommendCommands()
    .epilogue('Every option can also be set as VALTRACK_<NAME> in the environment, or in the --config file.')
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError(explain(message, args));
    });
  for (const name of COMMANDS) {
    const { usage, describe } = COMMAND_SPECS[name];
    parser = parser.command(
      usage,
      describe,
      (command) => {
        const described = command.usage(`$0 ${usage}\n\n${describe}`).options(optionsOf(name));
        return name === 'replay'
          ? described.positional('file', { describe: 'files, or - for standard input', array: true, type: 'string' })
          : described;
      },
      (argv) => choose(name, argv),
    );
  }
  return parser;
}

/** yargs says what is wrong; this adds what is allowed. */
function explain(message: string, args: readonly string[]): string {
  const command = COMMANDS.find((name) => args.includes(name));
  if (!message.startsWith('Unknown argument')) return message;
  if (command === undefined) return `${message}; the commands are ${COMMANDS.join(', ')}`;
  const allowed = Object.keys(optionsOf(command)).map((name) => `--${name}`);
  return `${message}; ${command} has --config, ${allowed.join(', ')}`;
}

/** All options are known before the command is, so that they work before it too; each command shows its own. */
function globalOptions() {
  return Object.fromEntries(
    Object.entries(OPTIONS).map(([name, { alias, commands }]) => [
      name,
      {
        type: 'string' as const,
        requiresArg: true,
        hidden: commands !== undefined,
        ...(alias === undefined ? {} : { alias }),
        ...shown(name as OptionName),
      },
    ]),
  );
}

function optionsOf(command: Command) {
  return Object.fromEntries(
    Object.entries(OPTIONS)
      .filter(([, { commands }]) => commands === undefined || commands.includes(command))
      .map(([name]) => [
        name,
        { type: 'string' as const, requiresArg: true, hidden: false, ...shown(name as OptionName) },
      ]),
  );
}

/** Defaults are applied when values are read; yargs only shows them. */
function shown(name: OptionName) {
  const { describe, default: value, defaultText } = OPTIONS[name];
  const text = value ?? defaultText;
  return { describe: text === undefined ? describe : `${describe} [default: ${text}]` };
}

/** An option that means nothing to the command is a mistake on the command line; in a shared file it is not. */
function refuseForeignOptions(command: Command, args: readonly string[]): void {
  for (const arg of args) {
    const name = /^--([a-z-]+)(=|$)/.exec(arg)?.[1];
    if (name === undefined || !(name in OPTIONS)) continue;
    const { commands } = OPTIONS[name as OptionName];
    if (commands !== undefined && !commands.includes(command)) {
      throw new UsageError(`--${name} is not an option of ${command}; it belongs to ${commands.join(', ')}`);
    }
  }
}

function readConfig(path: string): Record<string, unknown> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(
      `config file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
    );
  }
  let parsed: unknown;
  try {
    parsed = parseYaml(content);
  } catch (error) {
    throw new UsageError(`config file ${path} is not YAML: ${oneLine(error)}`);
  }
  if (parsed === null || parsed === undefined) return {};
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new UsageError(`config file ${path} must hold options as "name: value", one a line`);
  }
  for (const name of Object.keys(parsed)) {
    if (!(name in OPTIONS)) {
      throw new UsageError(
        `config file ${path}: unknown option "${name}"; allowed are ${Object.keys(OPTIONS).join(', ')}`,
      );
    }
  }
  return parsed as Record<string, unknown>;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s*\n\s*/g, '; ').trim();
}
