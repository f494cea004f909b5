import { Observable } from 'rxjs';

/**
 * An observable of one promise whose work is aborted when the subscriber leaves. Emits once and completes; a rejection
 * after unsubscribing has nobody to concern.
 */
export function fromAbortable<T>(work: (signal: AbortSignal) => Promise<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    const controller = new AbortController();
    subscriber.add(() => controller.abort());
    work(controller.signal).then(
      (value) => {
        subscriber.next(value);
        subscriber.complete();
      },
      (error: unknown) => subscriber.error(error),
    );
  });
}
