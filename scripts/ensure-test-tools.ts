import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Before `npm test`: nats-server has to be on the PATH, because the NATS tests talk to a real one. */

function isThere(): boolean {
  return spawnSync('nats-server', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** Runs a command quietly; shows what it said only when it fails. */
function run(command: string, args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { status, stdout, stderr, error } = spawnSync(command, args, { env, encoding: 'utf8' });
  if (status === 0) return true;
  console.error(`${command} ${args.join(' ')} failed:\n${error?.message ?? stdout + stderr}`);
  return false;
}

function install(): boolean {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) return false;
  console.error('nats-server is missing; installing it with apt-get');
  return run('apt-get', ['update', '-qq']) && run('apt-get', ['install', '-y', '-qq', 'nats-server']);
}

if (!isThere() && !(install() && isThere())) {
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
