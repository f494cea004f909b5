import { timer } from 'rxjs';

/** Hears, in a few words for people, what takes long. */
export type Tell = (text: string) => void;

const SLOW_MS = 1_000;

/** Runs `work`, and says what is being done when that takes longer than a second. */
export async function whileSlow<T>(tell: Tell, text: string, work: () => Promise<T>): Promise<T> {
  const telling = timer(SLOW_MS).subscribe(() => tell(text));
  try {
    return await work();
  } finally {
    telling.unsubscribe();
  }
}
