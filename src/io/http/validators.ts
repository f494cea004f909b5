import { setImmediate } from 'node:timers/promises';
import type { TimeRange, ValidatorRecord, ViewReader } from '../storage/tracker/view-reader.ts';
import type { Pseudonym } from './pseudonym.ts';
import { publicRecord } from './public-view.ts';

const PAGE_RECORDS = 250;
/** Pseudonyms made before other work gets its turn. */
const PSEUDONYMS_PER_TURN = 1_000;

/** All records in the range for holders of a key, a page at a time, ordered by peer id. */
export async function* keyedPages(view: ViewReader, range: TimeRange): AsyncGenerator<ValidatorRecord[]> {
  const peerIds = await view.peerIds(range);
  for (let index = 0; index < peerIds.length; index += PAGE_RECORDS) {
    const page = await view.records(peerIds.slice(index, index + PAGE_RECORDS), range);
    yield page.sort((a, b) => (a.peer_id < b.peer_id ? -1 : 1));
  }
}

/**
 * The public side of all records in the range, a page at a time, ordered by pseudonym: any order that follows from the
 * peer ids would tell, next to a list of known peer ids, who is who.
 */
export async function* publicPages(
  view: ViewReader,
  range: TimeRange,
  pseudonym: Pseudonym,
): AsyncGenerator<ValidatorRecord[]> {
  const order: { peerId: string; name: string }[] = [];
  for (const peerId of await view.peerIds(range)) {
    order.push({ peerId, name: pseudonym(peerId) });
    if (order.length % PSEUDONYMS_PER_TURN === 0) await setImmediate();
  }
  order.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (let index = 0; index < order.length; index += PAGE_RECORDS) {
    const peerIds = order.slice(index, index + PAGE_RECORDS).map(({ peerId }) => peerId);
    const page = (await view.records(peerIds, range)).map((record) => publicRecord(record, pseudonym));
    yield page.sort((a, b) => (a.peer_id < b.peer_id ? -1 : 1));
  }
}

/**
 * Pages as one JSON array, written as fast as it is read. The first piece is made before anything is written, so that a
 * failure can still become a status code; a later one breaks the response off.
 */
export async function jsonArray(pages: AsyncIterable<object[]>): Promise<ReadableStream<Uint8Array>> {
  const pieces = arrayPieces(pages);
  const first = await pieces.next();
  async function* all() {
    if (!first.done) yield first.value;
    yield* pieces;
  }
  return ReadableStream.from(all());
}

async function* arrayPieces(pages: AsyncIterable<object[]>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let before = '[';
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield encoder.encode(before + page.map((record) => JSON.stringify(record)).join(',\n'));
    before = ',\n';
  }
  yield encoder.encode(before === '[' ? '[]\n' : ']\n');
}
