import type { FastifyBaseLogger } from 'fastify';
import { type Receipt, receiptSchema } from 'service-kit/contract/notification.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import type { Account } from 'service-kit/provider/account.ts';
import { logForwarding, type ReceiptForwarder } from 'service-kit/provider/receipts/receipt-forwarder.ts';
import { z } from 'zod';
import type { RequireSignature, SignedRequest } from './signed-request.ts';
import { codeSchema } from './twilio-errors.ts';
import { statusPath } from './twilio-gateway.ts';
import { twilioProblem, twilioProblems } from './twilio-problems.ts';
import { readDelivery } from './twilio-receipts.ts';

interface StatusWebhookOptions {
  requireSignature: RequireSignature;
  forwarder: ReceiptForwarder;
  account: Account;
}

/** Takes Twilio's status callbacks, and forwards them to payment-service as receipts. The account learns of their faults. */
export function registerStatusWebhook(
  scope: Server,
  { requireSignature, forwarder, account }: StatusWebhookOptions,
): void {
  scope.post(
    statusPath,
    {
      // The signature is the authentication, and covers the query, to which Twilio or a proxy may add fields.
      config: { access: 'anyone', acceptsAnyQuery: true },
      schema: {
        tags: ['webhooks'],
        operationId: 'receiveStatusCallback',
        summary: "Receive Twilio's status callback, signed with X-Twilio-Signature",
        reads: {
          querystring: z.object({
            key: z.string().meta({
              description: 'The key of the attempt, as Twilio got it with the SMS',
              example: 'pmt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d-1',
            }),
          }),
          form: z.looseObject({
            MessageSid: z.string().meta({ example: 'SM0123456789abcdef0123456789abcdef' }),
            MessageStatus: z.string().meta({ example: 'delivered' }),
            ErrorCode: z.string().optional(),
          }),
        },
        response: {
          204: z.undefined().meta({
            description:
              'The receipt was forwarded, none is needed, or payment-service refuses it, as it would again',
          }),
          ...problemResponses(
            twilioProblems,
            'callback-incomplete',
            'signature-invalid',
            'receipt-not-forwarded',
          ),
        },
      },
    },
    async (request, reply) => {
      const signed = requireSignature(request, statusPath);
      const receipt = receiptOf(signed, account, request.log);
      if (receipt) await forward(receipt, forwarder, request.log);
      return reply.code(204).send();
    },
  );
}

/** @throws Problem if Twilio is to repeat its callback */
async function forward(receipt: Receipt, forwarder: ReceiptForwarder, log: FastifyBaseLogger): Promise<void> {
  const forwarding = await forwarder.forward(receipt);
  logForwarding(log, receipt, forwarding);
  if (forwarding === 'unauthorized' || forwarding === 'unreachable')
    throw twilioProblem('receipt-not-forwarded');
}

/**
 * Undefined for statuses such as `sent` that are no end. There is no `at`: Twilio passes on the time of the carrier
 * (`RawDlrDoneDate`) without its time zone.
 *
 * @throws Problem if the callback names no message or no attempt, to which a receipt could be assigned
 */
function receiptOf(
  { form, query }: SignedRequest,
  account: Account,
  log: FastifyBaseLogger,
): Receipt | undefined {
  const code = codeSchema.parse(form.get('ErrorCode'));
  const { status, reason } = readDelivery(form.get('MessageStatus') ?? undefined, code, account);
  if (status === null) return undefined;
  const { data } = receiptSchema.safeParse({
    provider: 'Twilio',
    message_id: form.get('MessageSid'),
    idempotency_key: query.get('key'),
    status,
    reason,
  });
  if (data) return data;
  log.warn({ provider: 'Twilio', status }, 'a status callback without a message or a key was refused');
  throw twilioProblem('callback-incomplete');
}
