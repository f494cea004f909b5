import type { Connection } from '@libp2p/interface';
import type { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../../src/consensus/failure.ts';
import { connectionEndings } from '../../../../src/io/network/libp2p/endings.ts';

const connection = () => ({}) as Connection;

function heardOf(failure$: Observable<Failure>) {
  const heard: Failure[] = [];
  const listening = failure$.subscribe((failure) => heard.push(failure));
  return { heard, isOver: () => listening.closed };
}

describe('the endings of connections', () => {
  it('are told once the connection is closed, to who asked before and to who asks later', () => {
    const endings = connectionEndings();
    const one = connection();
    endings.opened(one);
    const before = heardOf(endings.of(one));
    expect(before.heard).toEqual([]);
    endings.closed(one);
    const after = heardOf(endings.of(one));
    const closed = { stage: 'identify', cause: 'eof', detail: 'closed by the peer' };
    expect([before.heard, after.heard]).toEqual([[closed], [closed]]);
    expect([before.isOver(), after.isOver()]).toEqual([false, false]);
  });

  it('have the reason of the goodbye, which is no ending yet', () => {
    const endings = connectionEndings();
    const one = connection();
    endings.opened(one);
    const { heard } = heardOf(endings.of(one));
    // Of the consensus specification: 129 is what clients say that have too many peers.
    endings.saidGoodbye(one, 129n);
    expect(heard).toEqual([]);
    endings.closed(one);
    expect(heard).toEqual([{ stage: 'identify', cause: 'too_many_peers', detail: 'goodbye 129' }]);
  });

  it('are each of one connection, also when a peer has two', () => {
    const endings = connectionEndings();
    const [one, other] = [connection(), connection()];
    endings.opened(one);
    endings.opened(other);
    endings.saidGoodbye(one, 129n);
    const { heard } = heardOf(endings.of(other));
    endings.closed(one);
    expect(heard).toEqual([]);
    endings.closed(other);
    expect(heard).toMatchObject([{ cause: 'eof' }]);
  });

  it('are over for a connection that nobody has seen open', () => {
    const endings = connectionEndings();
    const one = connection();
    endings.closed(one);
    expect(heardOf(endings.of(one)).heard).toMatchObject([{ cause: 'eof', detail: 'closed before it was looked at' }]);
  });
});
