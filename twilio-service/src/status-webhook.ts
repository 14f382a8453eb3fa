import { type Receipt, receiptSchema } from 'service-kit/contract/notification.ts';
import { Problem, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { ReceiptHandover } from './receipt-forwarder.ts';
import { statusPath } from './status-callback-url.ts';
import { twilioErrors } from './twilio-errors.ts';
import { isSignedByTwilio } from './twilio-signature.ts';

export interface StatusWebhookOptions {
  publicUrl: string;
  authToken: string;
}

/** Twilio's word on what became of an SMS, handed to payment-service. */
export function registerStatusWebhook(
  server: Server,
  { publicUrl, authToken }: StatusWebhookOptions,
  receipts: ReceiptHandover,
): void {
  server.stopping.addEventListener('abort', () => receipts.stop());
  server.addHook('onClose', () => receipts.close());

  // A scope of its own: no other route takes forms.
  server.register(async (scope: Server) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      async (_request: unknown, body: string) => new URLSearchParams(body),
    );
    scope.addContentTypeParser('*', async () => {
      throw new Problem(415, 'unsupported-media-type', 'Twilio sends a form.');
    });

    scope.post(
      statusPath,
      {
        config: { access: 'anyone' }, // its signature says that it is Twilio
        schema: {
          tags: ['webhooks'],
          summary: "Twilio's status callback, signed with X-Twilio-Signature",
          response: {
            204: z.undefined().meta({ description: 'Handed on, or nothing that anybody waits for' }),
            403: problemResponse('The signature is missing or wrong'),
            503: problemResponse('payment-service could not be told'),
          },
        },
      },
      async ({ url, headers, body, log }, reply) => {
        const form = body instanceof URLSearchParams ? body : new URLSearchParams();
        const signature = headers['x-twilio-signature'];
        const queryString = url.includes('?') ? url.slice(url.indexOf('?')) : '';
        const signedUrl = `${publicUrl}${statusPath}${queryString}`;
        if (typeof signature !== 'string' || !isSignedByTwilio(authToken, signature, signedUrl, form)) {
          log.warn({ provider: 'Twilio' }, 'a status callback without a valid signature was refused');
          throw new Problem(403, 'signature-invalid', 'X-Twilio-Signature is missing or wrong.');
        }
        const receipt = receiptOf(form, new URLSearchParams(queryString).get('key'));
        if (!receipt) return reply.code(204).send();

        const handover = await receipts.handOver(receipt);
        const { provider, message_id, idempotency_key, status } = receipt;
        const told = { provider, message_id, idempotency_key, status, handover };
        if (handover === 'taken') log.info(told, 'delivery receipt handed on');
        else if (handover === 'unknown_there') log.warn(told, 'payment-service does not know this SMS');
        else {
          log.error(told, 'a delivery receipt could not be handed on');
          throw new Problem(503, 'receipt-not-taken', 'payment-service could not be told.');
        }
        return reply.code(204).send();
      },
    );
  });
}

/**
 * A callback as a receipt; undefined for the ones on the way, such as `sent`, and for an SMS that has no key. What failed
 * because of the recipient is told apart, as it is in the answer to a send: no other provider must be asked.
 */
function receiptOf(form: URLSearchParams, key: string | null): Receipt | undefined {
  const status = form.get('MessageStatus');
  if (status !== 'delivered' && status !== 'undelivered' && status !== 'failed') return undefined;
  const code = form.get('ErrorCode');
  const failed = twilioErrors.get(Number(code))?.outcome === 'rejected' ? 'rejected' : 'failed';
  const receipt = receiptSchema.safeParse({
    provider: 'Twilio',
    message_id: form.get('MessageSid'),
    idempotency_key: key,
    status: status === 'delivered' ? 'delivered' : failed,
    reason: status === 'delivered' ? null : `twilio_${code && /^\d{1,9}$/.test(code) ? code : status}`,
  });
  return receipt.data;
}
