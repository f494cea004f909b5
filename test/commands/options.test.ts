import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/commands/command-line.ts';
import { configFileSource } from '../../src/commands/config-file.ts';
import { COMMANDS, type Command, OPTIONS, type OptionName } from '../../src/commands/option-table.ts';
import { commandLineSource, environmentSource, type Options, readOptions } from '../../src/commands/options.ts';
import { UsageError } from '../../src/commands/usage-error.ts';
import { tempDir } from '../support/temp-dir.ts';

interface Case {
  readonly key: keyof Options;
  /** Four different good texts and what each means. */
  readonly good: readonly [text: string, value: unknown][];
  readonly bad: readonly string[];
  /** What the message about a bad one has to name. */
  readonly allowed: string;
  readonly default: unknown;
}

const texts = (key: keyof Options, fallback: unknown): Case => ({
  key,
  good: ['a', 'b', 'c'].map((text) => [text, text]),
  bad: [' '],
  allowed: 'needs a value',
  default: fallback,
});
const numbers = (key: keyof Options, from: number, to: number | null, fallback: unknown): Case => ({
  key,
  good: [from, from + 1, from + 2].map((value) => [String(value), value]),
  bad: [String(from - 1), 'many', '1.5', '', '1e3', ...(to === null ? [] : [String(to + 1)])],
  allowed: to === null ? `of at least ${from}` : `from ${from} to ${to}`,
  default: fallback,
});

const yesOrNo = (key: keyof Options, fallback: unknown): Case => ({
  key,
  good: [
    ['true', true],
    ['false', false],
    ['true', true],
  ],
  bad: ['maybe', '', '2'],
  allowed: 'one of true, false',
  default: fallback,
});
const durations = (key: keyof Options, fallback?: number): Case => ({
  key,
  good: [
    ['90s', 90_000],
    ['1.5h', 5_400_000],
    ['500ms', 500],
  ],
  bad: ['90', 's', '-5s', '0s', '5 parsecs', '25d'],
  allowed: '90s, 15m or 2h',
  default: fallback,
});

const kept = (key: keyof Options, fallback: number): Case => ({
  key,
  good: [
    ['400d', 34_560_000_000],
    ['forever', Number.POSITIVE_INFINITY],
    ['1.5h', 5_400_000],
    ['0', Number.POSITIVE_INFINITY],
  ],
  bad: ['90', '0d', '-5d', 'never', '', '3 months'],
  allowed: '12h or 90d (units ms, s, m, h, d), or forever',
  default: fallback,
});

/** The contract's table, in the form of a test: every option has a row. */
const CASES: Readonly<Record<OptionName, Case>> = {
  'log-level': {
    key: 'logLevel',
    good: [
      ['trace', 'trace'],
      ['error', 'error'],
      ['silent', 'silent'],
    ],
    bad: ['loud', 'INFO', ''],
    allowed: 'trace, debug, info, warn, error, silent',
    default: 'info',
  },
  'log-format': {
    key: 'logFormat',
    good: [
      ['pretty', 'pretty'],
      ['json', 'json'],
      ['pretty', 'pretty'],
    ],
    bad: ['xml'],
    allowed: 'pretty, json',
    default: 'json',
  },
  'nats-url': {
    key: 'natsUrl',
    good: ['nats://a:1', 'tls://b', 'nats://u:p@c:3,nats://d:4'].map((text) => [text, text]),
    bad: ['http://x', 'localhost', ''],
    allowed: 'nats://host:port',
    default: undefined,
  },
  network: texts('network', 'mainnet'),
  'data-dir': texts('dataDir', './data'),
  'http-host': texts('httpHost', '127.0.0.1'),
  'http-port': numbers('httpPort', 0, 65_535, undefined),
  'api-keys': texts('apiKeys', 'api_keys.txt'),
  geo: {
    key: 'geo',
    good: [
      ['none', []],
      ['mmdb,embedded', ['mmdb', 'embedded']],
      ['embedded, mmdb,reverse-dns', ['embedded', 'mmdb', 'reverse-dns']],
    ],
    bad: ['', 'all', 'embedded,', 'none,embedded', 'Embedded'],
    allowed: 'none, or some of devnet, ip-metadata, mmdb, ipinfo, embedded, reverse-dns',
    default: undefined,
  },
  mmdb: {
    key: 'mmdb',
    good: [
      ['a.mmdb', ['a.mmdb']],
      ['a.mmdb,b.mmdb', ['a.mmdb', 'b.mmdb']],
      ['dir/c, d.mmdb', ['dir/c', 'd.mmdb']],
    ],
    bad: ['', ' ', 'a.mmdb,', ',a'],
    allowed: 'needs a value, or several',
    default: undefined,
  },
  'ipinfo-token': {
    key: 'ipinfoToken',
    good: [
      ['0123abcdef', '0123abcdef'],
      [' b1 ', 'b1'],
      ['c2-_.~', 'c2-_.~'],
    ],
    bad: ['', ' ', 'two words', 'a\nb', 'töken'],
    allowed: 'needs a value of letters, digits and signs',
    default: undefined,
  },
  'ip-metadata': texts('ipMetadata', undefined),
  'active-validators': numbers('activeValidators', 1, null, undefined),
  nodes: numbers('nodes', 1, 10_000, 50),
  seed: numbers('seed', 0, null, 1),
  'slot-ms': numbers('slotMs', 50, 60_000, 250),
  dir: texts('dir', undefined),
  'consumer-name': {
    ...texts('consumerName', 'consumer-valtrack'),
    bad: ['with space', 'a.b', '', 'x'.repeat(65)],
    allowed: 'at most 64 letters, digits, - and _',
  },
  'keep-addresses': kept('keepAddressesMs', 7_776_000_000),
  'keep-observations': kept('keepObservationsMs', Number.POSITIVE_INFINITY),
  'keep-events': kept('keepEventsMs', 2_592_000_000),
  'nats-replicas': {
    key: 'natsReplicas',
    good: [
      ['1', 1],
      ['3', 3],
      ['5', 5],
    ],
    bad: ['0', '2', '4', 'three', ''],
    allowed: 'one of 1, 3, 5',
    default: 1,
  },
  'spool-max-bytes': {
    key: 'spoolMaxBytes',
    good: [
      ['2GiB', 2_147_483_648],
      ['500MB', 500_000_000],
      ['1.5 KiB', 1_536],
    ],
    bad: ['2', 'GiB', '-1GB', '0B', '0.1B', '2gigs', '9000000TiB', ''],
    allowed: '2GiB or 500MB',
    default: 4_294_967_296,
  },
  'parquet-rows': numbers('parquetRows', 100, 10_000_000, 50_000),
  'parquet-interval': durations('parquetIntervalMs', 300_000),
  'spool-max-age': durations('spoolMaxAgeMs', 604_800_000),
  'crawler-id': texts('crawlerId', hostname()),
  'crawler-location': texts('crawlerLocation', 'unknown'),
  'listen-ip': {
    key: 'listenIp',
    good: ['127.0.0.1', '0.0.0.0', '::1'].map((text) => [text, text]),
    bad: ['localhost', '1.2.3', '1.2.3.256', ''],
    allowed: 'an IP address such as 0.0.0.0 or ::',
    default: undefined,
  },
  port: {
    key: 'port',
    good: [
      ['0', 0],
      ['256', 256],
      ['65534', 65_534],
    ],
    bad: ['65535', '255', '1', '-1', '9000.5', 'x', ''],
    allowed: '0 or a number from 256 to 65534',
    default: undefined,
  },
  faults: yesOrNo('faults', undefined),
  'fork-at': numbers('forkAt', 11, null, undefined),
  'blob-fork-at': numbers('blobForkAt', 11, null, undefined),
  dwell: durations('dwellMs'),
  contact: texts('contact', undefined),
  'opt-out': texts('optOut', undefined),
  forks: {
    key: 'forks',
    good: ['learnt', 'configured', 'learnt'].map((text) => [text, text]),
    bad: ['', 'learned', 'true'],
    allowed: 'one of learnt, configured',
    default: 'learnt',
  },
  'allow-private': yesOrNo('allowPrivate', false),
  json: yesOrNo('json', false),
  format: {
    key: 'format',
    good: ['csv', 'geojson', 'parquet'].map((text) => [text, text]),
    bad: ['', 'xlsx', 'CSV'],
    allowed: 'one of csv, json, ndjson, geojson, parquet',
    default: undefined,
  },
  out: texts('out', undefined),
  public: yesOrNo('public', false),
  for: durations('forMs'),
};

const NAMES = Object.keys(CASES) as OptionName[];
/** Given without a value on the command line. */
const SWITCHES = NAMES.filter((name) => OPTIONS[name].isSwitch === true);
const WITH_VALUE = NAMES.filter((name) => !SWITCHES.includes(name));

/** A command with what has to stand beside it. */
const CALLS: Readonly<Record<Command, readonly string[]>> = {
  run: ['run'],
  sentry: ['sentry'],
  consumer: ['consumer'],
  devnet: ['devnet'],
  probe: ['probe', 'enr:-x'],
  enr: ['enr', 'enr:-x'],
  replay: ['replay', 'a.csv'],
  export: ['export'],
};

/** A command that has the option. */
function callWith(name: OptionName): readonly string[] {
  return CALLS[COMMANDS.find((command) => OPTIONS[name].commands?.includes(command) ?? true) as Command];
}

function variableOf(name: string): string {
  return `VALTRACK_${name.replaceAll('-', '_').toUpperCase()}`;
}

let folder: Awaited<ReturnType<typeof tempDir>>;
beforeAll(async () => {
  folder = await tempDir();
});
afterAll(() => folder.remove());

async function read(args: readonly string[], env: Record<string, string> = {}, file?: string): Promise<Options> {
  const call = await parseCommandLine(args);
  return readBeside(call?.texts ?? {}, env, file);
}

/** The same with a command line that has been read: yargs takes its time. */
function readBeside(texts: Readonly<Record<string, unknown>>, env: Record<string, string>, file?: string): Options {
  const sources = [commandLineSource(texts), environmentSource(env)];
  return readOptions(...sources, ...(file === undefined ? [] : [configFileSource(file)]));
}

async function fileWith(content: string): Promise<string> {
  const path = join(folder.path, `${crypto.randomUUID()}.yaml`);
  await writeFile(path, content);
  return path;
}

describe('every option', () => {
  it('has a row in this table', () => {
    expect(NAMES.toSorted()).toEqual(Object.keys(OPTIONS).toSorted());
  });

  it.each(NAMES)('--%s: flag before environment before file before default', async (name) => {
    const { key, good, default: fallback } = CASES[name];
    const [[flag, fromFlag], [variable, fromVariable], [entry, fromFile]] = good as [
      [string, unknown],
      [string, unknown],
      [string, unknown],
    ];
    const env = { [variableOf(name)]: variable };
    const file = await fileWith(`${name}: ${JSON.stringify(entry)}\n`);
    const call = callWith(name);
    const given = SWITCHES.includes(name) ? [`--${name}`] : [`--${name}`, flag];
    expect((await read([...call, ...given], env, file))[key]).toEqual(fromFlag);
    const texts = (await parseCommandLine(call))?.texts ?? {};
    expect(readBeside(texts, env, file)[key]).toEqual(fromVariable);
    expect(readBeside(texts, {}, file)[key]).toEqual(fromFile);
    expect(readBeside(texts, {})[key]).toEqual(fallback);
  });

  it.each(WITH_VALUE)('--%s works before and after the command, with a space and with =', async (name) => {
    const { key, good } = CASES[name];
    const [text, value] = good[0] as [string, unknown];
    const call = callWith(name);
    for (const args of [
      [...call, `--${name}`, text],
      [...call, `--${name}=${text}`],
      [`--${name}`, text, ...call],
      [`--${name}=${text}`, ...call],
    ]) {
      expect((await read(args))[key], args.join(' ')).toEqual(value);
    }
  });

  it.each(SWITCHES)('--%s works before and after the command, and swallows nothing', async (name) => {
    const call = callWith(name);
    for (const args of [
      [...call, `--${name}`],
      [`--${name}`, ...call],
      [call[0] as string, `--${name}`, ...call.slice(1)],
    ]) {
      expect((await read(args))[CASES[name].key], args.join(' ')).toBe(true);
      expect((await parseCommandLine(args))?.positional).toEqual(call.slice(1));
    }
  });

  it.each(NAMES)(
    '--%s refuses wrong values wherever they stand, naming the place and what is allowed',
    async (name) => {
      const { bad, allowed } = CASES[name];
      const call = callWith(name);
      const texts = (await parseCommandLine(call))?.texts ?? {};
      for (const text of bad) {
        const file = await fileWith(`${name}: ${JSON.stringify(text)}\n`);
        const attempts: [place: string, attempt: () => Promise<Options>][] = [
          [`${variableOf(name)} `, async () => readBeside(texts, { [variableOf(name)]: text })],
          [`config file ${file}: ${name} `, async () => readBeside(texts, {}, file)],
        ];
        if (!SWITCHES.includes(name)) attempts.push([`--${name} `, () => read([...call, `--${name}=${text}`])]);
        for (const [place, attempt] of attempts) {
          const error = await attempt().then(
            () => null,
            (reason: unknown) => reason,
          );
          expect(error, `${place}${text}`).toBeInstanceOf(UsageError);
          const { message } = error as UsageError;
          expect(message.startsWith(place), message).toBe(true);
          expect(message).toContain(allowed);
          expect(message).not.toContain('\n');
        }
      }
    },
  );

  it.each(WITH_VALUE)('--%s without a value is refused', async (name) => {
    await expect(parseCommandLine([...callWith(name), `--${name}`])).rejects.toThrow(
      new UsageError(`--${name} needs a value`),
    );
  });

  it.each(NAMES)('--%s is refused by commands that have no use for it', async (name) => {
    const owners = OPTIONS[name].commands ?? COMMANDS;
    const given = SWITCHES.includes(name) ? [`--${name}`] : [`--${name}`, '1'];
    for (const command of COMMANDS.filter((candidate) => !owners.includes(candidate))) {
      for (const args of [
        [...CALLS[command], ...given],
        [...given, ...CALLS[command]],
      ]) {
        await expect(parseCommandLine(args), args.join(' ')).rejects.toThrow(
          new UsageError(`--${name} is not an option of ${command}; it belongs to ${owners.join(', ')}`),
        );
      }
    }
  });
});

describe('the files of replay', () => {
  it.each([
    [['replay', 'a.csv'], ['a.csv']],
    [
      ['replay', 'a.csv', 'a.csv', 'b.log'],
      ['a.csv', 'a.csv', 'b.log'],
    ],
    [['replay', '-'], ['-']],
    [
      ['--data-dir', 'x', 'replay', 'a.csv', '-', 'b.ndjson'],
      ['a.csv', '-', 'b.ndjson'],
    ],
    [
      ['replay', '-', '--data-dir', 'x', '1'],
      ['-', '1'],
    ],
  ])('%j', async (args, files) => {
    expect((await parseCommandLine(args))?.positional).toEqual(files);
  });
});

describe('what is wrong before the command is named', () => {
  it.each([
    [['--nope', 'run'], 'there is no option --nope; run has --config, --log-level'],
    [['-x', 'export'], 'there is no option -x; export has'],
    [['--nope=1', 'run'], 'there is no option --nope; run has'],
    [['-n', 'consumer'], '-n needs a value'],
    [['--data-dir', 'run'], '--data-dir needs a value'],
    [[], 'name a command: run, sentry'],
  ])('%j', async (args, message) => {
    await expect(parseCommandLine(args)).rejects.toThrow(UsageError);
    await expect(parseCommandLine(args)).rejects.toThrow(message);
  });
});

describe('short options', () => {
  it('stand for the long ones', async () => {
    expect(await read(['-l', 'debug', 'sentry', '-n', 'nats://x:1'])).toMatchObject({
      logLevel: 'debug',
      natsUrl: 'nats://x:1',
    });
  });
});

describe('the config file', () => {
  it('may hold options of other commands, comments, plain numbers and empty values', async () => {
    const file = await fileWith('# ours\nnodes: 7\nhttp-port: 0\nnats-url:\nfor: 5m\n');
    expect(await read(['consumer'], {}, file)).toMatchObject({ nodes: 7, httpPort: 0, natsUrl: undefined });
    expect(await read(['run'], {}, await fileWith(''))).toMatchObject({ nodes: 50 });
  });

  it('is read as it is written: a text that looks like a number stays a text', async () => {
    const file = await fileWith('crawler-id: 0123\ncrawler-location: 1234567e123456\nallow-private: true\n');
    expect(await read(['sentry'], {}, file)).toMatchObject({
      crawlerId: '0123',
      crawlerLocation: '1234567e123456',
      allowPrivate: true,
    });
  });

  it.each([
    ['nods: 5\n', /unknown option "nods"; allowed are log-level, /],
    ['- nodes\n', /must hold options as "name: value"/],
    ['nodes: [1, 2]\n', /"nodes" must have one value/],
    ['nodes: {a: 1}\n', /"nodes" must have one value/],
    ['nodes: "5\n', /is not YAML: /],
    ['config: other.yaml\n', /unknown option "config"/],
    ['toString: 1\n', /unknown option "toString"/],
  ])('%j is refused', async (content, message) => {
    const file = await fileWith(content);
    const attempt = read(['run'], {}, file);
    await expect(attempt).rejects.toThrow(UsageError);
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toThrow(file);
  });
});
