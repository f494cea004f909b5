import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openProbeState, probeFolder } from '../../src/programs/probe-state.ts';
import { tempDir } from '../support/temp-dir.ts';

let dir: Awaited<ReturnType<typeof tempDir>>;
const warn = vi.fn();
const open = (folder = join(dir.path, 'state')) => openProbeState(folder, { warn });
type State = Awaited<ReturnType<typeof open>>;
const identityOf = ({ privateKey }: State) => privateKey.publicKey.toCID().toString();

beforeEach(async () => {
  dir = await tempDir();
  warn.mockClear();
});
afterEach(() => dir.remove());

describe('the folder of probes', () => {
  it.each([
    [{ XDG_STATE_HOME: '/srv/state' }, '/srv/state/valtrack/probe'],
    [{ XDG_STATE_HOME: '' }, /^\/.+\/\.local\/state\/valtrack\/probe$/],
    [{}, /^\/.+\/\.local\/state\/valtrack\/probe$/],
  ])('is where the user keeps such things: %j', (environment, expected) => {
    expect(probeFolder(environment)).toMatch(expected);
  });
});

describe('one probe after another', () => {
  it('is the same peer', async () => {
    const [first, second] = [await open(), await open()];
    expect(identityOf(second)).toBe(identityOf(first));
    expect(warn).not.toHaveBeenCalled();
  });

  it('keeps to the quotas that the one before has used', async () => {
    const nowMs = Date.now();
    const first = await open();
    for (const asked of ['status', 'metadata', 'goodbye'] as const) {
      expect(first.ledger.tryAsk('peer', asked, nowMs)).toBe(true);
    }
    await first.remember();
    const { ledger } = await open();
    // One Goodbye in ten seconds, Lodestar and Lighthouse; a second for the way.
    expect(ledger.askableAtMs('peer', 'goodbye', nowMs + 5_000)).toBe(nowMs + 11_000);
    expect(ledger.tryAsk('peer', 'goodbye', nowMs + 5_000)).toBe(false);
    expect(ledger.tryAsk('peer', 'metadata', nowMs + 5_000)).toBe(true);
    // Two MetaData in ten seconds, Caplin.
    expect(ledger.tryAsk('peer', 'metadata', nowMs + 5_001)).toBe(false);
    expect(ledger.tryAsk('another', 'goodbye', nowMs + 5_000)).toBe(true);
  });

  it('does not wait for what the one before has not asked', async () => {
    const { ledger } = await open();
    expect(ledger.tryAsk('peer', 'goodbye', Date.now())).toBe(true);
  });

  it('is for the eyes of its user alone', async () => {
    const state = await open();
    state.ledger.tryAsk('peer', 'status', Date.now());
    await state.remember();
    expect((await stat(join(dir.path, 'state', 'asked.json'))).mode & 0o077).toBe(0);
  });

  it.each(['', 'not json', '{"a":1}', '[{"peerId":"peer","goodbye":["soon"]}]'])(
    'begins anew when what was asked cannot be read: %j',
    async (text) => {
      const first = await open();
      await writeFile(join(dir.path, 'state', 'asked.json'), text);
      const second = await open();
      expect(identityOf(second)).toBe(identityOf(first));
      expect(second.ledger.tryAsk('peer', 'goodbye', Date.now())).toBe(true);
      await second.remember();
      expect(JSON.parse(await readFile(join(dir.path, 'state', 'asked.json'), 'utf8'))).toMatchObject([
        { peerId: 'peer' },
      ]);
    },
  );
});

describe('where nothing can be kept', () => {
  it('a probe is somebody new, works all the same, and says so', async () => {
    const file = join(dir.path, 'file');
    await writeFile(file, '');
    const folder = join(file, 'state');
    const [first, second] = [await open(folder), await open(folder)];
    expect(identityOf(second)).not.toBe(identityOf(first));
    expect(first.ledger.tryAsk('peer', 'status', Date.now())).toBe(true);
    await expect(first.remember()).resolves.toBeUndefined();
    expect(warn.mock.calls.map(([, words]) => words)).toEqual(
      Array(2).fill('this probe has an identity of its own, since none can be kept'),
    );
  });
});
