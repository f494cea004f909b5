import { setPriority } from 'node:os';

/**
 * For tests that can wait: they and the programs that they start leave the processor to those that watch a network in real
 * time, which is as late as its nodes are.
 */
const GIVES_WAY = 10;

setPriority(GIVES_WAY);
