import { integer, text, yesOrNo } from '../values.ts';
import { spec, WITH_DEVNET } from './option-spec.ts';

/** What a devnet is like. */
export const DEVNET_OPTIONS = {
  nodes: spec<number>({
    describe: 'Nodes of the devnet',
    default: '50',
    read: integer(1, 10_000),
    commands: WITH_DEVNET,
  }),
  seed: spec<number>({
    describe: 'Seed of the devnet: same seed, same truth',
    default: '1',
    read: integer(0),
    commands: WITH_DEVNET,
  }),
  'slot-ms': spec<number>({
    describe: 'Length of a slot of the devnet in milliseconds',
    default: '250',
    read: integer(50, 60_000),
    commands: WITH_DEVNET,
  }),
  dir: spec<string>({
    describe: 'Folder for the network.json of the devnet',
    defaultText: 'a temporary folder',
    read: text,
    commands: WITH_DEVNET,
  }),
  faults: spec<boolean>({
    describe: 'Every kind of client, reach and fault in the devnet: true or false',
    defaultText: 'from 100 nodes on',
    read: yesOrNo,
    commands: WITH_DEVNET,
  }),
  'fork-at': spec<number>({
    describe: 'Epoch of a regular fork of the devnet, which begins in epoch 10',
    defaultText: 'none',
    read: integer(11),
    commands: WITH_DEVNET,
  }),
  'blob-fork-at': spec<number>({
    describe: 'Epoch of a blob-parameter-only fork of the devnet',
    defaultText: 'none',
    read: integer(11),
    commands: WITH_DEVNET,
  }),
} as const;
