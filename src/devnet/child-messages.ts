import type { DevnetOptions } from './devnet.ts';
import type { DevnetFile } from './network-file.ts';

/** What parent and child of a forked devnet tell each other. The child stops when the channel closes. */

export interface ToChild {
  readonly kind: 'start';
  readonly options: Omit<DevnetOptions, 'onProblem'>;
}

export type FromChild =
  | {
      readonly kind: 'started';
      readonly network: DevnetFile;
      readonly networkPath: string;
      readonly penaltiesPath: string;
    }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'problem'; readonly peerId: string; readonly during: string; readonly reason: string };
