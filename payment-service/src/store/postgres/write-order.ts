/** Orders the writes of one payment, whichever statements they are part of: each begins when the one before has ended. */
export function createWriteOrder() {
  const latest = new Map<string, Promise<unknown>>();

  function inOrder<T>(paymentId: string, operation: () => Promise<T>): Promise<T> {
    const before = latest.get(paymentId);
    const result = before ? before.then(operation, operation) : operation();
    latest.set(paymentId, result);
    const done = () => {
      if (latest.get(paymentId) === result) latest.delete(paymentId);
    };
    result.then(done, done);
    return result;
  }

  inOrder.drain = async () => {
    await Promise.allSettled(latest.values());
  };
  return inOrder;
}
