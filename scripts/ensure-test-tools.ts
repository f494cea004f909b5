import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * Before `npm test` and `npm run chaos`: nats-server has to be on the PATH, because both talk to a real one. With `strace` as an
 * argument that is installed too where it can be, for faults of single system calls.
 */

interface Tool {
  readonly name: string;
  readonly versionFlag: string;
}

const NATS: Tool = { name: 'nats-server', versionFlag: '--version' };
const STRACE: Tool = { name: 'strace', versionFlag: '-V' };

function isThere({ name, versionFlag }: Tool): boolean {
  return spawnSync(name, [versionFlag], { stdio: 'ignore' }).status === 0;
}

/** Runs a command quietly; shows what it said only when it fails. */
function run(command: string, args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, stdout, stderr, error } = spawnSync(command, args, { env, encoding: 'utf8' });
  if (status === 0) return true;
  console.error(`${command} ${args.join(' ')} failed:\n${error?.message ?? stdout + stderr}`);
  return false;
}

function install(names: readonly string[]): boolean {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) return false;
  console.error(`installing with apt-get: ${names.join(' ')}`);
  return run('apt-get', ['update', '-qq']) && run('apt-get', ['install', '-y', '-qq', ...names]);
}

const wanted = process.argv.includes(STRACE.name) ? [NATS, STRACE] : [NATS];
const missing = wanted.filter((tool) => !isThere(tool));
if (missing.length > 0) install(missing.map(({ name }) => name));

if (!isThere(NATS)) {
  console.error(
    [
      'The tests need nats-server 2.9 or newer on the PATH. Install it with one of:',
      '  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install -y nats-server',
      '  macOS:           brew install nats-server',
      '  others:          https://github.com/nats-io/nats-server/releases',
    ].join('\n'),
  );
  process.exitCode = 1;
}
