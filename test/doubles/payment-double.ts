import { type ReceivedRequest, replyJson, serveDouble } from './http-double.ts';

/** In place of a status: no answer at all. */
export const never = 0;

/** A payment-service that records what provider services send, and answers as it is set. */
export async function startPaymentDouble(port = 0) {
  const received: ReceivedRequest[] = [];
  const statuses: number[] = [];
  const double = await serveDouble((request, response) => {
    received.push(request);
    const status = statuses.shift() ?? 204;
    if (status === never) return;
    if (status === 204) return response.writeHead(204).end();
    return replyJson(response, status, { status });
  }, port);
  return {
    ...double,
    received,
    receipts: () => received.map(({ body }) => JSON.parse(body)),
    /** The statuses of the next answers; the others are 204. */
    answer: (...next: number[]) => void statuses.push(...next),
  };
}
