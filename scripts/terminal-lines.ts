import process from 'node:process';
import { styleText } from 'node:util';
import pinoPretty from 'pino-pretty';

type Fields = Record<string, unknown>;

interface Attempt {
  provider: string;
  outcome: string | null;
  reason: string | null;
}

const info = 30;
const colors = {
  'payment-service': 'cyan',
  'aldeamo-service': 'yellow',
  'twilio-service': 'magenta',
} as const;

/** What a terminal has no room for: it is in the JSON of a pipe. */
const left = ['pid', 'hostname', 'name', 'trace_id', 'request_id', 'client', 'idempotency_key'];

/** What the announcement says, and the provider services' own lines about a payment. */
const repeated =
  /^(listening on |notification answered|delivery receipt forwarded|sandbox: no SMS is sent|live: SMS are sent)/;

/**
 * Returns the line of the terminal for a line of a service: short, one for each payment. Undefined for one that
 * repeats another.
 */
export function createTerminalLines(): (service: keyof typeof colors, line: string) => string | undefined {
  const pretty = pinoPretty.prettyFactory({
    colorize: process.stdout.hasColors?.() ?? false,
    ignore: left.join(','),
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
  });
  return (service, line) => {
    const fields = parse(line);
    const short = fields ? shorten(fields) : line;
    if (short === undefined) return undefined;
    const prefix = styleText(colors[service], `${service.replace('-service', '').padEnd(7)} |`);
    return `${prefix} ${typeof short === 'string' ? short : pretty(short).trimEnd()}`;
  };
}

function parse(line: string): Fields | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

export function shorten(fields: Fields): Fields | undefined {
  const { time, level, msg, err } = fields;
  if (level === info && repeated.test(String(msg))) return undefined;
  if (msg === 'notification handled') return { time, level, msg: describePayment(fields) };
  if (msg === 'receipt recorded') return { time, level, msg: describeReceipt(fields) };
  // An error with a code, or without a stack, is one of the surroundings.
  const { code, message, stack } = (err ?? { stack: '' }) as Fields;
  const isOfSurroundings = code !== undefined || stack === undefined;
  return isOfSurroundings ? { ...fields, err: undefined, msg: `${msg}: ${message}` } : fields;
}

/** The payment, who handled its notification, its status, how long that took, and why. */
function describePayment(fields: Fields): string {
  const { payment_id, provider, notification_status, duration_ms } = fields;
  const parts = [payment_id, provider ?? 'no provider', marked(notification_status), `${duration_ms} ms`];
  return [...parts, describeReason(fields)].filter(Boolean).join('  ');
}

/** What became of an SMS that was accepted, and of its notification if that is another thing. */
function describeReceipt({ payment_id, provider, status, notification_status }: Fields): string {
  const parts = [payment_id, provider, marked(status)];
  return [...parts, status === notification_status ? '' : notification_status].filter(Boolean).join('  ');
}

/** As messengers do. */
const marks: Record<string, string> = { sent: '✓ ', delivered: '✓✓ ' };
const marked = (status: unknown) => `${marks[String(status)] ?? ''}${status}`;

function describeReason(fields: Fields): string {
  const { notification_status, reason, next_attempt_at } = fields;
  const attempts = (fields.attempts ?? []) as Attempt[];
  const failed = attempts.filter(({ outcome }) => outcome !== 'accepted').slice(-2);
  const reasons = failed.map((each) => `${each.provider} ${each.outcome}: ${each.reason}`);
  if (reasons.length === 0 && reason) reasons.push(String(reason));
  if (isRetried(fields, attempts)) reasons.unshift(`after ${attempts.length} attempts`);
  if (notification_status === 'pending' && next_attempt_at)
    reasons.push(`next attempt at ${new Date(String(next_attempt_at)).toTimeString().slice(0, 8)}`);
  return reasons.join(', ');
}

/** A first round asks each provider once, and schedules at most one retry. One by hand, or after a crash, is not counted. */
function isRetried({ notification_status, retries }: Fields, attempts: Attempt[]): boolean {
  const before = Number(retries ?? 0) - (notification_status === 'pending' ? 1 : 0);
  return before > 0 || new Set(attempts.map(({ provider }) => provider)).size < attempts.length;
}
