import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { type Receipt, receiptSchema } from 'service-kit/contract/notification.ts';
import { requireNoCoding } from 'service-kit/http/body.ts';
import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { ReceiptForwarder } from './receipt-forwarder.ts';
import { codeSchema, twilioErrors } from './twilio-errors.ts';
import { statusPath } from './twilio-gateway.ts';
import { isSignedByTwilio, parseForm, type SignedForm } from './twilio-signature.ts';

interface StatusWebhookOptions {
  publicUrl: string;
  authToken: string;
}

/** Takes Twilio's status callbacks, and forwards them to payment-service as receipts. */
export function registerStatusWebhook(
  server: Server,
  { publicUrl, authToken }: StatusWebhookOptions,
  forwarder: ReceiptForwarder,
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
        if (!isSignedByTwilio(authToken, signature, `${publicUrl}${statusPath}${query}`, form)) {
          log.warn({ provider: 'Twilio' }, 'a status callback without a valid signature was refused');
          throw new Problem(403, 'signature-invalid', 'X-Twilio-Signature is missing or wrong.');
        }
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

/**
 * Undefined for intermediate statuses such as `sent`, and for an SMS without a key. A failure because of the recipient is
 * `rejected`, as in the answer to a send, because no other provider may be asked then.
 */
function receiptOf(form: URLSearchParams, key: string | null): Receipt | undefined {
  const status = form.get('MessageStatus');
  if (status !== 'delivered' && status !== 'undelivered' && status !== 'failed') return undefined;
  const code = codeSchema.parse(form.get('ErrorCode'));
  const failed = code && twilioErrors.get(code)?.outcome === 'rejected' ? 'rejected' : 'failed';
  const receipt = receiptSchema.safeParse({
    provider: 'Twilio',
    message_id: form.get('MessageSid'),
    idempotency_key: key,
    status: status === 'delivered' ? 'delivered' : failed,
    reason: status === 'delivered' ? null : `twilio_${code ?? status}`,
  });
  return receipt.data;
}
