import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { main } from '../../src/commands/main.ts';
import { COMMANDS, OPTIONS } from '../../src/commands/option-table.ts';

let stdout: string;
let stderr: string;

beforeEach(() => {
  stdout = '';
  stderr = '';
  vi.spyOn(console, 'log').mockImplementation((text) => {
    stdout += `${text}\n`;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    stderr += chunk;
    return true;
  });
});

const { columns } = process.stdout;

afterEach(() => {
  process.stdout.columns = columns;
  vi.restoreAllMocks();
});

describe('--help and --version', () => {
  it.each([['--help'], ['-h'], ['help']])('valtrack %s names every command', async (arg) => {
    expect(await main([arg])).toBe(0);
    for (const command of COMMANDS) expect(stdout).toContain(`valtrack ${command}`);
    expect(stderr).toBe('');
  });

  it.each(COMMANDS)('valtrack %s --help shows its options and their defaults, and no other', async (command) => {
    for (const args of [
      [command, '--help'],
      ['--help', command],
      [command, '-h'],
    ]) {
      stdout = '';
      expect(await main(args)).toBe(0);
      const shown = [...stdout.matchAll(/^ {2}(?:-\w, | {4})--([a-z-]+)/gm)].map(([, name]) => name);
      const own = Object.entries(OPTIONS).filter(([, { commands }]) => commands?.includes(command) ?? true);
      expect(shown.toSorted()).toEqual(['config', 'help', 'version', ...own.map(([name]) => name)].toSorted());
      const words = stdout.replaceAll(/\s+/g, ' ');
      for (const [, { default: value }] of own) if (value !== undefined) expect(words).toContain(`[default: ${value}]`);
    }
  });

  it.each([[['--version']], ...COMMANDS.map((command) => [[command, '--version']]), [['--version', 'run']]])(
    'valtrack %j is the package version',
    async (args) => {
      expect(await main(args)).toBe(0);
      expect(stdout).toBe(`${packageJson.version}\n`);
    },
  );

  it('fit 80 columns', async () => {
    process.stdout.columns = 80;
    for (const args of [['--help'], ...COMMANDS.map((command) => [command, '--help'])]) await main(args);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('wrong use', () => {
  it.each([
    [[], `name a command: ${COMMANDS.join(', ')}`],
    [['runn'], `there is no command "runn"; the commands are ${COMMANDS.join(', ')}`],
    [['run', '--nods', '3'], /^there is no option --nods; run has --config, --log-level, .*--nodes, /],
    [['run', '-x'], /^there is no option -x; run has /],
    [['run', '--no-network'], /^there is no option --no-network; /],
    [['run', '--dataDir', 'x'], /^there is no option --dataDir; /],
    [['run', '--seed', '1', '--seed', '2'], '--seed is given more than once'],
    [['run', '--config', 'a', '--config', 'b'], '--config is given more than once'],
    [['run', 'extra'], 'run has no use for "extra"; "valtrack run --help" shows what it takes'],
    [['replay'], 'replay needs a file, or - for standard input'],
    [['probe'], 'probe needs an enr: record or a multiaddr'],
    [['enr'], 'enr needs an enr: record'],
    [['replay', 'notes.txt'], 'notes.txt is no recording; allowed are .csv .ndjson .log .parquet -'],
    [['run', '--network', 'goerli'], /^--network must be one of mainnet, .*, not "goerli"$/],
    [['consumer', '--network', 'goerli'], /^--network must be one of mainnet, .*, not "goerli"$/],
    [['run', '--network', './none.json'], '--network ./none.json: there is no such file'],
    [['run', '--config', 'none.yaml'], /^config file none.yaml cannot be read \(ENOENT\); /],
    [['run', '--config', '/'], /^config file \/ cannot be read \(EISDIR\); /],
  ])('valtrack %j', async (args, message) => {
    expect(await main(args)).toBe(2);
    const [line, ...rest] = stderr.split('\n');
    expect(rest).toEqual(['']);
    expect(line).toMatch(/^valtrack: /);
    if (typeof message === 'string') expect(line).toBe(`valtrack: ${message}`);
    else expect(line?.replace('valtrack: ', '')).toMatch(message);
    expect(stdout).toBe('');
  });
});
