import yargs, { type Argv } from 'yargs';
import { COMMANDS, type Command, OPTIONS, type OptionName } from './option-table.ts';
import { UsageError } from './usage-error.ts';
import { VERSION } from './version.ts';

/** What a user asked for: a command, the options on the command line, and what stands beside them. */
export interface CommandCall {
  readonly command: Command;
  readonly texts: Readonly<Record<string, unknown>>;
  readonly config: string | undefined;
  /** Files, a peer or a record: what the command is about. */
  readonly positional: readonly string[];
}

const USAGE: Readonly<Record<Command, { readonly usage: string; readonly describe: string }>> = {
  run: { usage: 'run', describe: 'Crawl, store and serve in one process' },
  sentry: { usage: 'sentry', describe: 'Crawl and publish to NATS JetStream' },
  consumer: { usage: 'consumer', describe: 'Consume from NATS JetStream, store and serve' },
  devnet: { usage: 'devnet', describe: 'Run a network of simulated beacon nodes on loopback whose truth is known' },
  probe: { usage: 'probe <peer>', describe: 'Observe one peer once; exit code 0 if observed, 1 if not' },
  enr: {
    usage: 'enr <record>',
    describe: 'Decode a node record: every field, fork, subnets, custody, addresses, validity',
  },
  export: {
    usage: 'export',
    describe: 'Write the validator view as CSV, JSON, NDJSON, GeoJSON or Parquet',
  },
  replay: {
    usage: 'replay <file...>',
    describe: 'Feed recorded events (.ndjson, .log, .csv, .parquet, -) into the event log',
  },
};

/** Stands for `-`, which yargs takes for an option without a name, and drops. */
const STDIN = '<stdin>';
const NEEDS: Readonly<Partial<Record<Command, string>>> = {
  replay: 'a file, or - for standard input',
  probe: 'an enr: record or a multiaddr',
  enr: 'an enr: record',
};

const MAX_HELP_COLUMNS = 100;
const SWITCHES = (Object.keys(OPTIONS) as OptionName[]).filter((name) => OPTIONS[name].isSwitch === true);
const ASKS_FOR_HELP = /^(--help\b|-\w*h)/;

/**
 * Reads the command line. `null` when it was answered with the help or the version, on standard output.
 * @throws UsageError that says what is wrong and what is allowed
 */
export async function parseCommandLine(args: readonly string[]): Promise<CommandCall | null> {
  let call: CommandCall | null = null;
  // yargs lays out the help at every start, whether anybody asks for it or not: what is hidden costs no time.
  const hidden = !args.some((arg) => ASKS_FOR_HELP.test(arg));
  const parser = yargs(args.map((arg) => (arg === '-' ? STDIN : arg)))
    .scriptName('valtrack')
    .usage('$0 <command>\n\nFinds the beacon nodes of an Ethereum network and estimates the validators behind them.')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    // Known from the start, so that a switch before the command does not swallow the command.
    .boolean(SWITCHES)
    .option('config', {
      describe: 'YAML file with options, by their names here',
      type: 'string',
      requiresArg: true,
      hidden,
    })
    .options(optionsWhere((commands) => commands === undefined, { hidden }))
    .version(VERSION)
    .alias('h', 'help')
    .strict()
    .demandCommand(1, NO_COMMAND)
    .epilogue(
      'Every option works before and after the command, as VALTRACK_<NAME> in the environment, and in the --config file. ' +
        'valtrack <command> --help shows the options of a command.',
    )
    .wrap(Math.min(MAX_HELP_COLUMNS, process.stdout.columns ?? MAX_HELP_COLUMNS))
    .exitProcess(false)
    .fail((message, error) => {
      throw error === undefined || error.name === 'YError' ? new UsageError(explained(message, args)) : error;
    });
  for (const command of COMMANDS) {
    addCommand(parser, command, { hidden }, ({ _, $0, config, file, peer, record, ...texts }) => {
      refuseSwitches(command, texts);
      call = {
        command,
        texts: Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, onlyText(name, value)])),
        config: config === undefined ? undefined : onlyText('config', config),
        positional: [file, peer, record]
          .flat()
          .filter((value) => value !== undefined)
          .map((value) => (value === STDIN ? '-' : String(value))),
      };
    });
  }
  await parser.parse();
  return call;
}

/** @throws UsageError when an option was given more than once: which of its values is meant, nobody can say */
function onlyText(name: string, value: unknown): string {
  if (Array.isArray(value)) throw new UsageError(`${dashed(name)} is given more than once`);
  return value === STDIN ? '-' : String(value);
}

function addCommand(
  parser: Argv,
  command: Command,
  { hidden }: { readonly hidden: boolean },
  choose: (texts: Record<string, unknown>) => void,
): void {
  const { usage, describe } = USAGE[command];
  parser.command(
    usage,
    describe,
    (described) => {
      described
        .usage(`$0 ${usage}\n\n${describe}`)
        .options(optionsWhere((commands) => commands?.includes(command) === true, { hidden }));
      if (command === 'replay') {
        described.positional('file', { describe: 'Files, or - for standard input', array: true, type: 'string' });
      }
      if (command === 'probe') {
        described.positional('peer', {
          describe: 'An enr: record, or a multiaddr that ends in /p2p/…',
          type: 'string',
        });
      }
      if (command === 'enr') described.positional('record', { describe: 'An enr: record', type: 'string' });
    },
    choose,
  );
}

/** Every value is text here; defaults are applied when values are read, and only shown by the help. */
function optionsWhere(
  wanted: (commands: readonly Command[] | undefined) => boolean,
  { hidden }: { readonly hidden: boolean },
) {
  return Object.fromEntries(
    Object.entries(OPTIONS)
      .filter(([, { commands }]) => wanted(commands))
      .map(([name, { alias, describe, default: value, defaultText, isSwitch = false }]) => {
        const shown = value ?? defaultText;
        return [
          name,
          {
            ...(isSwitch ? { type: 'boolean' as const } : { type: 'string' as const, requiresArg: true }),
            describe: shown === undefined ? describe : `${describe} [default: ${shown}]`,
            ...(alias === undefined ? {} : { alias }),
            hidden,
          },
        ];
      }),
  );
}

function refuseSwitches(command: Command, texts: Readonly<Record<string, unknown>>): void {
  for (const name of SWITCHES) {
    const { commands } = OPTIONS[name];
    if (texts[name] === undefined || commands === undefined || commands.includes(command)) continue;
    throw new UsageError(`--${name} is not an option of ${command}; it belongs to ${commands.join(', ')}`);
  }
}

const NO_COMMAND = `name a command: ${COMMANDS.join(', ')}`;

/** An option before the command has taken it for its value: one that there is not, or one that lacks its value. */
function swallowed(command: Command, args: readonly string[]): string {
  const before = args.slice(0, args.indexOf(command)).filter((arg) => /^-./.test(arg));
  const names = before.map((arg) => arg.replace(/^-+/, '').split('=')[0] ?? '');
  const aliases = Object.values(OPTIONS).flatMap(({ alias }) => (alias === undefined ? [] : [alias]));
  const known = [...Object.keys(OPTIONS), ...aliases, 'config', 'help', 'h', 'version'];
  const unknown = names.find((name) => !known.includes(name));
  return unknown === undefined ? `${dashed(names.at(-1) ?? '')} needs a value` : noSuchOption(unknown, command);
}

function noSuchOption(name: string, command: Command): string {
  const allowed = Object.entries(OPTIONS).filter(([, { commands }]) => commands?.includes(command) ?? true);
  return `there is no option ${dashed(name)}; ${command} has --config, ${allowed.map(([own]) => dashed(own)).join(', ')}`;
}

/** yargs says what is wrong; this says it in the words of the command line, and adds what is allowed. */
function explained(message: string, args: readonly string[]): string {
  const command = COMMANDS.find((name) => args.includes(name));
  if (message === NO_COMMAND && command !== undefined) return swallowed(command, args);
  const lacking = /^Not enough arguments following: (.+)$/.exec(message)?.[1];
  if (lacking !== undefined) return `${dashed(lacking)} needs a value`;
  if (message.startsWith('Not enough non-option arguments'))
    return `${command ?? ''} needs ${command === undefined ? 'more' : NEEDS[command]}`;
  const unknown = /^Unknown (?:arguments?|commands?): (.+)$/.exec(message)?.[1]?.split(', ')[0];
  if (unknown === undefined) return message;
  if (command === undefined) return `there is no command "${unknown}"; the commands are ${COMMANDS.join(', ')}`;
  const isOption = args.some((arg) => arg.startsWith('-') && arg.replace(/^-+/, '').split('=')[0] === unknown);
  if (!isOption) return `${command} has no use for "${unknown}"; "valtrack ${command} --help" shows what it takes`;
  const owners = unknown in OPTIONS ? OPTIONS[unknown as OptionName].commands : undefined;
  if (owners !== undefined) {
    return `${dashed(unknown)} is not an option of ${command}; it belongs to ${owners.join(', ')}`;
  }
  return noSuchOption(unknown, command);
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
