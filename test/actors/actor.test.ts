import { describe, expect, it } from 'vitest';
import { type Actor, createActor, type Step } from '../../src/actors/actor.ts';

/** Keeps what it was sent; asks for each word to be repeated as often as its number says. */
type Note = { readonly word: string; readonly times: number };

function transition(state: readonly string[], { word, times }: Note): Step<readonly string[], Note> {
  return { state: [...state, word], effects: times > 0 ? [{ word, times }] : [] };
}

describe('createActor', () => {
  it('handles messages one at a time, in the order in which they came', () => {
    const actor = createActor<readonly string[], Note, Note>([], transition, () => undefined);
    for (const word of ['a', 'b', 'c']) actor.send({ word, times: 0 });
    expect(actor.state).toEqual(['a', 'b', 'c']);
  });

  it('changes its state before it carries out what follows from it', () => {
    const seen: unknown[] = [];
    const actor: Actor<readonly string[], Note> = createActor<readonly string[], Note, Note>(
      [],
      transition,
      ({ word }, state) => seen.push([word, state, actor.state]),
    );
    actor.send({ word: 'a', times: 1 });
    expect(seen).toEqual([['a', ['a'], ['a']]]);
  });

  it('puts messages that are sent while one is handled behind those in hand', () => {
    const order: string[] = [];
    const actor: Actor<readonly string[], Note> = createActor<readonly string[], Note, Note>(
      [],
      transition,
      ({ word, times }) => {
        order.push(`begin ${word}`);
        for (let again = 1; again <= times; again++)
          actor.send({ word: `${word}${again}`, times: word.length === 1 ? 1 : 0 });
        order.push(`end ${word}`);
      },
    );
    actor.send({ word: 'x', times: 2 });
    expect(order).toEqual(['begin x', 'end x', 'begin x1', 'end x1', 'begin x2', 'end x2']);
    expect(actor.state).toEqual(['x', 'x1', 'x2', 'x11', 'x21']);
  });

  it('lets two actors talk to each other', () => {
    const heard: string[] = [];
    const player = (name: string, other: () => Actor<number, number>): Actor<number, number> =>
      createActor<number, number, number>(
        0,
        (_, ball) => ({ state: ball, effects: ball > 0 ? [ball - 1] : [] }),
        (ball) => {
          heard.push(`${name} ${ball}`);
          other().send(ball);
        },
      );
    const a: Actor<number, number> = player('a', () => b);
    const b: Actor<number, number> = player('b', () => a);
    a.send(4);
    expect(heard).toEqual(['a 3', 'b 2', 'a 1', 'b 0']);
    expect([a.state, b.state]).toEqual([0, 1]);
  });

  it('is not stuck after an effect has failed, and keeps the messages that came meanwhile', () => {
    const actor: Actor<readonly string[], Note> = createActor<readonly string[], Note, Note>([], transition, () => {
      actor.send({ word: 'meanwhile', times: 0 });
      throw new Error('broken');
    });
    expect(() => actor.send({ word: 'a', times: 1 })).toThrow('broken');
    expect(actor.state).toEqual(['a']);
    actor.send({ word: 'b', times: 0 });
    expect(actor.state).toEqual(['a', 'meanwhile', 'b']);
  });
});
