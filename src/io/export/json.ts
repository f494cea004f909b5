import type { ValidatorRecord } from '../storage/tracker/view-reader.ts';

type Pages = AsyncIterable<readonly ValidatorRecord[]>;

/** One array, a record a line. */
export async function* jsonChunks(pages: Pages): AsyncGenerator<string> {
  yield* items(pages, '[', (record) => record);
  yield ']\n';
}

/** One object a line. */
export async function* ndjsonChunks(pages: Pages): AsyncGenerator<string> {
  for await (const page of pages) yield page.map((record) => `${JSON.stringify(record)}\n`).join('');
}

/** A FeatureCollection (RFC 7946): a peer is a point where its address is, and one without coordinates has no geometry. */
export async function* geoJsonChunks(pages: Pages): AsyncGenerator<string> {
  yield* items(pages, '{"type":"FeatureCollection","features":[', featureOf);
  yield ']}\n';
}

async function* items(pages: Pages, head: string, itemOf: (record: ValidatorRecord) => object): AsyncGenerator<string> {
  yield head;
  let between = '\n';
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield between + page.map((record) => JSON.stringify(itemOf(record))).join(',\n');
    between = ',\n';
  }
  yield '\n';
}

function featureOf(record: ValidatorRecord): object {
  const { latitude, longitude } = record as { latitude?: unknown; longitude?: unknown };
  const isPlaced = typeof latitude === 'number' && typeof longitude === 'number';
  const geometry = isPlaced ? { type: 'Point', coordinates: [longitude, latitude] } : null;
  return { type: 'Feature', id: record.peer_id, geometry, properties: record };
}
