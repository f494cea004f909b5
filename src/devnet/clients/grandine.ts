import { lighthouse } from './lighthouse.ts';

/** Grandine's eth2_libp2p (`70f109f`, `src/`) is Lighthouse's network crate, with the same files and constants. */
export const grandine = lighthouse;
