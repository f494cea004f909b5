import { beforeEach, expect, it } from 'vitest';
import { type LeaseNews, leaseNews } from '../../../../src/io/event-log/nats/lease-news.ts';
import { loggerWithLines } from './support/lines.ts';

let lines: string[];
let news: LeaseNews;

beforeEach(() => {
  const { logger, lines: told } = loggerWithLines();
  lines = told;
  news = leaseNews('a', logger);
});

it('are nothing when the lease is had at once', () => {
  news.won();
  expect(lines).toEqual([]);
});

it('are who has it, once for each of them, and that it was taken over', () => {
  news.standingBy('one');
  news.standingBy('one');
  news.standingBy('other');
  expect(news.reason).toBe('standing by: other has the durable a');
  news.won();
  news.won();
  const standingBy = (holder: string) =>
    `standing by: ${holder} has the durable a; this consumer takes over when that one is gone`;
  expect(lines).toEqual([standingBy('one'), standingBy('other'), expect.stringContaining('took over the durable')]);
});

it('are that it was lost, and that it is ours again', () => {
  news.won();
  news.lost('it could not be renewed in time');
  expect(news.reason).toBe('the durable a is not ours: it could not be renewed in time');
  news.won();
  expect(lines).toEqual([
    expect.stringContaining('the durable is no longer ours'),
    expect.stringContaining('took over the durable'),
  ]);
});

it('are no line while it cannot be asked for, but a reason', () => {
  expect(news.reason).toBe('it has not been asked for yet');
  news.failed(new Error('no server'));
  expect(news.reason).toBe('the durable a cannot be had: Error: no server');
  news.givenUp();
  expect(news.reason).toBe('it was given up');
  expect(lines).toEqual([]);
});
