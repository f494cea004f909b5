import { firstValueFrom, timer } from 'rxjs';

/** Waits for the work, but no longer than that. Rejects as the work does, if it does so in time. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  await Promise.race([work, firstValueFrom(timer(ms))]);
}
