import { firstValueFrom, materialize, NEVER, Subject, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { gauge } from '../../src/io/metrics/metrics.ts';
import { type Part, partOf } from '../../src/programs/part.ts';
import { program } from '../../src/programs/program.ts';

/** Parts that write down when they start and stop. */
function storied() {
  const story: string[] = [];
  const start = (name: string, given: Partial<Part> = {}) => {
    story.push(`start ${name}`);
    const stop = async () => void story.push(`stop ${name}`);
    return { ...partOf(name, { stop, ...given }), greeting: `I am ${name}` };
  };
  return { story, start };
}

describe('a program', () => {
  it('starts its parts in their order, each with those before it, and stops them in reverse', async () => {
    const { story, start } = storied();
    const stack = new AsyncDisposableStack();
    const { parts } = await program()
      .with('log', async () => start('the log'))
      .with('crawl', async ({ log }) => start(`the crawl after ${log.greeting}`))
      .with('server', async ({ log, crawl }) => start([log, crawl].map(({ name }) => name.length).join()))
      .start(stack);
    expect(Object.keys(parts)).toEqual(['log', 'crawl', 'server']);
    await stack.disposeAsync();
    expect(story).toEqual([
      'start the log',
      'start the crawl after I am the log',
      'start 7,28',
      'stop 7,28',
      'stop the crawl after I am the log',
      'stop the log',
    ]);
  });

  it('is changed by nobody: a part put in, replaced or left out makes another one', async () => {
    const { story, start } = storied();
    const usual = program()
      .with('first', async () => start('one'))
      .with('second', async ({ first }) => start(`two after ${first.name}`));
    const other = usual
      .with('first', async () => start('another'))
      .without('second')
      .with('sink', async () => start('a sink'));
    for (const each of [other, usual]) {
      await using stack = new AsyncDisposableStack();
      await each.start(stack);
      story.push('-');
    }
    expect(story.filter((line) => !line.startsWith('stop'))).toEqual([
      'start another',
      'start a sink',
      '-',
      'start one',
      'start two after one',
      '-',
    ]);
  });

  it('stops what was started before a part that cannot be, and passes on why', async () => {
    const { story, start } = storied();
    const stack = new AsyncDisposableStack();
    const starting = program()
      .with('first', async () => start('one'))
      .with('second', () => Promise.reject(new Error('the port is in use')))
      .with('third', async () => start('three'))
      .start(stack);
    await expect(starting).rejects.toThrow('the port is in use');
    await stack.disposeAsync();
    expect(story).toEqual(['start one', 'stop one']);
  });

  it('tells, at each moment, what the parts tell that are there', async () => {
    const stack = new AsyncDisposableStack();
    const seen: string[][] = [];
    const checked = (name: string) =>
      partOf(name, {
        checks: [{ name, reason: async () => null }],
        metrics: [gauge(name, 'its size', [], (set) => set({}, 1))],
      });
    const { vitals } = await program()
      .with('a', async (_, early) => {
        seen.push(early.checks().map(({ name }) => name));
        return checked('a');
      })
      .with('b', async (_, early) => {
        seen.push(early.checks().map(({ name }) => name));
        return checked('b');
      })
      .start(stack);
    expect(seen).toEqual([[], ['a']]);
    expect(vitals.checks().map(({ name }) => name)).toEqual(['a', 'b']);
    expect(vitals.metrics().map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('fails with the first part that has failed for good, and never completes', async () => {
    const stack = new AsyncDisposableStack();
    const lost$ = new Subject<never>();
    const { failed$ } = await program()
      .with('a', async () => partOf('a', { failed$: NEVER }))
      .with('b', async () => partOf('b', { failed$: lost$ }))
      .start(stack);
    const end = firstValueFrom(failed$.pipe(materialize(), take(1), toArray()));
    lost$.error(new Error('for good'));
    expect(await end).toMatchObject([{ kind: 'E', error: new Error('for good') }]);
  });
});

it('a part stops once, however often it is asked to', async () => {
  let stops = 0;
  const part = partOf('it', { stop: async () => void stops++ });
  await Promise.all([part.stop(), part.stop()]);
  await part.stop();
  expect(stops).toBe(1);
});
