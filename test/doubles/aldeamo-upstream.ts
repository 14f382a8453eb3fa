import type { ServerResponse } from 'node:http';
import { type AldeamoMessage, faultsOfPackageReport, readSend } from './aldeamo-request.ts';
import { type ReceivedRequest, replyJson } from './http-double.ts';
import {
  acceptedWith,
  startUpstream,
  type Upstream,
  type UpstreamAnswer,
  upstreamAnswers,
} from './upstream.ts';

type AldeamoAnswer = UpstreamAnswer<AldeamoMessage>;

const entryOf = (
  { to, transactionId, correlationLabel }: AldeamoMessage,
  status: unknown,
  reason: string,
) => ({
  mobile: to,
  transactionId,
  status,
  reason,
  correlationLabel,
});

/** This one message is refused, and listed among those received all the same. */
const refusedAmongReceived =
  (status: unknown, reason: string): AldeamoAnswer =>
  ({ message, reply }) =>
    reply(200, {
      status: 1,
      reason: 'Request Received',
      result: { receivedRequests: [entryOf(message, status, reason)], failedRequests: [] },
    });

/** The answers of Aldeamo to a send. */
export const aldeamo = {
  ...upstreamAnswers<AldeamoMessage>(({ accept, reply }) =>
    reply(200, {
      status: 1,
      reason: 'OK',
      result: { receivedRequests: [entryOf(accept(), 1, 'Recibido')], failedRequests: [] },
    }),
  ),
  /** This one message is refused, in free text. */
  refused:
    (reason: string, status = -6): AldeamoAnswer =>
    ({ message, reply }) =>
      reply(200, {
        status: 1,
        reason: 'OK',
        result: { receivedRequests: [], failedRequests: [entryOf(message, status, reason)] },
      }),
  refusedAmongReceived,
  /** The account has no SMS left. */
  usedUp: refusedAmongReceived(-5, 'Paquete sin saldo'),
  /** The whole request is refused: a negative status and no entries. */
  error:
    (status: number, reason: string): AldeamoAnswer =>
    ({ reply }) =>
      reply(200, { status, reason }),
  unauthorized: (({ reply }) => reply(401, 'Unauthorized')) as AldeamoAnswer,
  forbidden: (({ reply }) => reply(403, 'Forbidden')) as AldeamoAnswer,
  throttled:
    (retryAfter?: string): AldeamoAnswer =>
    ({ reply }) =>
      reply(429, 'Too Many Requests', retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  /** Accepted, with an unreadable answer. */
  garbage: acceptedWith<AldeamoMessage>(200, '{"status": 1, "res'),
  empty: acceptedWith<AldeamoMessage>(200, ''),
};

export interface AldeamoPackage {
  totalSpent: number;
  total: number;
  available: number;
  state: 'ENABLED' | 'DISABLED' | 'EXPIRED' | 'FINISHED';
  packageType: 'SMS' | 'FLASH' | 'DOC';
}

export interface AldeamoUpstream extends Upstream<AldeamoMessage> {
  /** The credentials; they can be changed at any time. */
  username: string;
  password: string;
  /** What the account may send. An SMS that is accepted uses up one; without one, all are refused. */
  packages: AldeamoPackage[];
  /** How a correct request for the packages is answered. */
  packageReport: (response: ServerResponse) => unknown;
}

/** A package of SMS, none of which has been sent. */
export const aldeamoPackage = (available: number): AldeamoPackage => ({
  totalSpent: 0,
  total: available,
  available,
  state: 'ENABLED',
  packageType: 'SMS',
});

function useOne(packages: AldeamoPackage[]): boolean {
  const usable = packages.find(({ packageType, state }) => packageType === 'SMS' && state === 'ENABLED');
  if (!usable) return false;
  usable.totalSpent += 1;
  usable.available -= 1;
  if (usable.available === 0) usable.state = 'FINISHED';
  return true;
}

const isPackageReport = ({ method, path }: ReceivedRequest) =>
  method === 'POST' && path === '/SmsiWS/packageReportPost';

/** Aldeamo's API. */
export async function startAldeamoUpstream({
  username = 'pagos',
  password = 's3creta',
  port = 0,
} = {}): Promise<AldeamoUpstream> {
  const invalidBody = (reason: string) => ({ status: -400, reason });
  const double = await startUpstream<AldeamoMessage>(
    {
      accepted: (exchange) =>
        useOne(upstream.packages) ? aldeamo.accepted(exchange) : aldeamo.usedUp(exchange),
      isAuthorized: (user) => user === `${upstream.username}:${upstream.password}`,
      unauthorizedBody: 'Unauthorized',
      isReport: isPackageReport,
      answerOther(request, response) {
        if (!isPackageReport(request)) return false;
        const wrong = faultsOfPackageReport(request);
        upstream.violations.push(...wrong);
        if (wrong.length > 0) replyJson(response, 400, invalidBody(wrong.join(', ')));
        else upstream.packageReport(response);
        return true;
      },
      readSend: (request, number) => readSend(request, 9_000_000 + number),
      invalidBody,
    },
    port,
  );
  const upstream: AldeamoUpstream = Object.assign(double, {
    username,
    password,
    packages: [aldeamoPackage(1_000_000)],
    packageReport: (response: ServerResponse) =>
      replyJson(response, 200, { status: 1, reason: 'OK', result: upstream.packages }),
  });
  return upstream;
}
