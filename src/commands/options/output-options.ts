import { EXPORT_FORMATS, type ExportFormat } from '../../io/export/formats.ts';
import { durationMs, oneOf, text, yesOrNo } from '../values.ts';
import { CRAWLING, spec } from './option-spec.ts';

/** What commands write, and when they end. */
export const OUTPUT_OPTIONS = {
  json: spec<boolean>({
    describe: 'One JSON object in place of a page for people',
    defaultText: 'false; probe prints the page on a terminal only',
    read: yesOrNo,
    isSwitch: true,
    commands: ['probe', 'enr'],
  }),
  format: spec<ExportFormat>({
    describe: `How the view is written: ${EXPORT_FORMATS.join(', ')}`,
    defaultText: 'what the name of --out ends in, else csv',
    read: oneOf(EXPORT_FORMATS),
    commands: ['export'],
  }),
  out: spec<string>({
    describe: 'File that is written or replaced',
    defaultText: 'standard output',
    read: text,
    commands: ['export'],
  }),
  public: spec<boolean>({
    describe: 'What anyone may know: no addresses, pseudonyms in place of peer ids',
    defaultText: 'false',
    read: yesOrNo,
    isSwitch: true,
    commands: ['export'],
  }),
  for: spec<number>({
    describe: 'Stop after crawling this long, such as 90s or 2h, as SIGTERM would',
    defaultText: 'never',
    read: durationMs,
    commands: CRAWLING,
  }),
} as const;
