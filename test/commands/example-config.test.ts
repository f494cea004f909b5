import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { OPTIONS, type OptionSpec } from '../../src/commands/option-table.ts';
import { commandLineSource, readOptions } from '../../src/commands/options.ts';

/** The example of a config file tells of every option, each with its default. */

const text = readFileSync(new URL('../../examples/config.yaml', import.meta.url), 'utf8');
const set = parse(text) as Record<string, unknown>;
const shown = parse(text.replaceAll(/^# (?=[a-z0-9-]+: )/gm, '')) as Record<string, unknown>;

/** What is said anew each time a command is called. */
const OF_ONE_CALL = ['for', 'json', 'format', 'out', 'public'];
const options = Object.entries<OptionSpec<unknown>>(OPTIONS).filter(([name]) => !OF_ONE_CALL.includes(name));

describe('examples/config.yaml', () => {
  it('sets every option that has a default, to that', () => {
    const defaults = options.flatMap(([name, option]) =>
      option.default === undefined ? [] : [[name, option.default]],
    );
    expect(Object.fromEntries(Object.entries(set).map(([name, value]) => [name, String(value)]))).toEqual(
      Object.fromEntries(defaults),
    );
  });

  it('shows every other option, with a value that is allowed', () => {
    expect(Object.keys(shown).sort()).toEqual(options.map(([name]) => name).sort());
    expect(() => readOptions(commandLineSource(shown))).not.toThrow();
  });
});
