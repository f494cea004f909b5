import { expect, it } from 'vitest';
import { failure } from '../../../src/consensus/failure.ts';
import { type CrawlProblem, createCrawlProblems } from '../../../src/streams/crawl/crawl-problems.ts';

const CROWDED = failure('resolve', 'resource_limited');

function said(maxNamed: number): { problems: ReturnType<typeof createCrawlProblems>; heard: CrawlProblem[] } {
  const problems = createCrawlProblems(maxNamed);
  const heard: CrawlProblem[] = [];
  problems.problems$.subscribe((problem) => heard.push(problem));
  return { problems, heard };
}

it('names what is wrong with a record once, and again when the peer has a new one', () => {
  const { problems, heard } = said(10);
  for (const enr of ['enr:1', 'enr:1', 'enr:2', 'enr:1']) problems.nameOnce({ peerId: 'a', enr }, CROWDED);
  expect(heard).toEqual([
    { peerId: 'a', failure: CROWDED },
    { peerId: 'a', failure: CROWDED },
  ]);
});

it('remembers no more records than it may', () => {
  const { problems, heard } = said(2);
  for (const enr of ['enr:1', 'enr:2', 'enr:2', 'enr:3', 'enr:1']) problems.nameOnce({ peerId: enr, enr }, CROWDED);
  expect(heard.map(({ peerId }) => peerId)).toEqual(['enr:1', 'enr:2', 'enr:3', 'enr:1']);
});

it('blames nobody whose record cannot be read', () => {
  const { problems, heard } = said(2);
  problems.blame('enr:nonsense', 'it told of too many');
  expect(heard).toEqual([]);
});
