/** The result of the work, or the fallback once the time is up. The work itself goes on: a repeated key joins it. */
export function withDeadline<T>(timeoutMs: number, work: Promise<T> | T, fallback: T): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(resolve, timeoutMs, fallback);
  Promise.resolve(work)
    .then(resolve, reject)
    .finally(() => clearTimeout(timer));
  return promise;
}
