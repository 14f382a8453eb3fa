import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { type Receipt, receiptSchema } from 'service-kit/contract/notification.ts';
import { requireNoCoding } from 'service-kit/http/body.ts';
import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import type { Account } from 'service-kit/provider/account.ts';
import { z } from 'zod';
import type { ReceiptForwarder } from './receipt-forwarder.ts';
import { codeSchema, twilioErrors } from './twilio-errors.ts';
import { statusPath } from './twilio-gateway.ts';
import { isSignedByTwilio, parseForm, type SignedForm } from './twilio-signature.ts';

interface StatusWebhookOptions {
  publicUrl: string;
  /** Any of them may have signed a callback: there are two while the token is rotated. */
  authTokens: string[];
}

/** Takes Twilio's status callbacks, and forwards them to payment-service as receipts. The account learns of their faults. */
export function registerStatusWebhook(
  server: Server,
  { publicUrl, authTokens }: StatusWebhookOptions,
  forwarder: ReceiptForwarder,
  account: Account,
): void {
  server.stopping.addEventListener('abort', () => forwarder.stop());
  server.addHook('onClose', () => forwarder.close());

  // A scope of its own, because no other route takes forms.
  server.register(async (scope: Server) => {
    parseFormsOnly(scope);
    scope.post(
      statusPath,
      {
        // The signature is the authentication, and covers the query, to which Twilio or a proxy may add fields.
        config: { access: 'anyone', acceptsAnyQuery: true },
        schema: {
          tags: ['webhooks'],
          summary: "Receive Twilio's status callback, signed with X-Twilio-Signature",
          response: {
            204: z.undefined().meta({ description: 'The receipt was forwarded, or none is needed' }),
            403: problemResponse('The signature is missing or wrong'),
            503: problemResponse('payment-service cannot be reached'),
          },
        },
      },
      async ({ url, headers, body, log }, reply) => {
        const form = (body as SignedForm | undefined) ?? parseForm(Buffer.of());
        const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
        const signature = String(headers['x-twilio-signature'] ?? '');
        const signedUrl = `${publicUrl}${statusPath}${query}`;
        // Each token is tried, so that the time does not depend on which one it was.
        const matches = authTokens.map((token) => isSignedByTwilio(token, signature, signedUrl, form));
        if (!matches.includes(true)) {
          log.warn({ provider: 'Twilio' }, 'a status callback without a valid signature was refused');
          throw new Problem(403, 'signature-invalid', 'X-Twilio-Signature is missing or wrong.');
        }
        learnFromFailure(form.fields, account);
        const receipt = receiptOf(form.fields, new URLSearchParams(query).get('key'));
        if (receipt) await forward(receipt, forwarder, log);
        return reply.code(204).send();
      },
    );
  });
}

function parseFormsOnly(scope: Server): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer' },
    async ({ headers }: FastifyRequest, body: Buffer) => {
      requireNoCoding(headers);
      return parseForm(body);
    },
  );
  scope.addContentTypeParser('*', async () => {
    throw new Problem(415, 'unsupported-media-type', 'Send a form.');
  });
}

/** @throws Problem if Twilio is to repeat its callback */
async function forward(receipt: Receipt, forwarder: ReceiptForwarder, log: FastifyBaseLogger): Promise<void> {
  const forwarding = await forwarder.forward(receipt);
  const { provider, message_id, idempotency_key, status } = receipt;
  const fields = { provider, message_id, idempotency_key, status, forwarding };
  if (forwarding === 'recorded') log.info(fields, 'delivery receipt forwarded');
  else if (forwarding === 'unknown_attempt') log.warn(fields, 'payment-service has no attempt for this SMS');
  else {
    log.error(fields, 'a delivery receipt could not be forwarded');
    throw new Problem(503, 'receipt-not-taken', 'payment-service cannot be reached. Retry later.');
  }
}

/** What becomes of the SMS by Twilio's status; the others are intermediate. `read` follows `delivered`, which may be lost. */
const ends = new Map<string | null, 'delivered' | 'failed'>([
  ['delivered', 'delivered'],
  ['read', 'delivered'],
  ['undelivered', 'failed'],
  ['failed', 'failed'],
  ['canceled', 'failed'],
]);

const codeOf = (form: URLSearchParams) => codeSchema.parse(form.get('ErrorCode'));

/** Many faults of the account or the sender show only after Twilio has accepted the SMS. */
function learnFromFailure(form: URLSearchParams, account: Account): void {
  if (ends.get(form.get('MessageStatus')) !== 'failed') return;
  const code = codeOf(form);
  const fault = code && twilioErrors.get(code)?.fault;
  if (fault) account.learnFromReceipt(fault, `twilio_${code}`);
}

/**
 * Undefined for intermediate statuses such as `sent`, and for an SMS without a key. A failure because of the recipient is
 * `rejected`, as in the answer to a send, because no other provider may be asked then.
 */
function receiptOf(form: URLSearchParams, key: string | null): Receipt | undefined {
  const twilioStatus = form.get('MessageStatus');
  const end = ends.get(twilioStatus);
  if (!end) return undefined;
  const code = codeOf(form);
  const failed = code && twilioErrors.get(code)?.outcome === 'rejected' ? 'rejected' : 'failed';
  const receipt = receiptSchema.safeParse({
    provider: 'Twilio',
    message_id: form.get('MessageSid'),
    idempotency_key: key,
    status: end === 'delivered' ? 'delivered' : failed,
    reason: end === 'delivered' ? null : `twilio_${code ?? twilioStatus}`,
  });
  return receipt.data;
}
