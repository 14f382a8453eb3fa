import type { FastifyBaseLogger } from 'fastify';
import { type OptOut, optOutSchema } from 'service-kit/contract/notification.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import type { ReceiptForwarder } from 'service-kit/provider/receipts/receipt-forwarder.ts';
import { z } from 'zod';
import { keywordOf } from './opt-out-keyword.ts';
import type { RequireSignature } from './signed-request.ts';
import { twilioProblem, twilioProblems } from './twilio-problems.ts';

interface InboundWebhookOptions {
  requireSignature: RequireSignature;
  forwarder: ReceiptForwarder;
}

const inboundPath = '/webhooks/twilio/inbound';

/** TwiML that does nothing: Twilio itself answers the keywords. */
const noReply = '<?xml version="1.0" encoding="UTF-8"?><Response/>';

/** Takes the SMS that recipients send, and forwards their opt-outs to payment-service. Neither the phone nor the text is logged. */
export function registerInboundWebhook(
  scope: Server,
  { requireSignature, forwarder }: InboundWebhookOptions,
): void {
  scope.post(
    inboundPath,
    {
      // The signature is the authentication, and covers the query, to which Twilio or a proxy may add fields.
      config: { access: 'anyone', acceptsAnyQuery: true },
      schema: {
        tags: ['webhooks'],
        operationId: 'receiveInboundMessage',
        summary: "Receive a recipient's SMS from Twilio, signed with X-Twilio-Signature",
        description:
          'An opt-out (STOP, BAJA …) or its end (START, ALTA …) is forwarded; any other SMS is not.',
        reads: {
          form: z.looseObject({
            MessageSid: z.string().meta({ example: 'SM0123456789abcdef0123456789abcdef' }),
            From: z.string().meta({ example: '+573001234567' }),
            Body: z.string().meta({ example: 'BAJA' }),
          }),
        },
        response: {
          200: {
            description: 'An empty TwiML document',
            content: { 'text/xml': { schema: z.string().meta({ example: noReply }) } },
          },
          ...problemResponses(twilioProblems, 'signature-invalid', 'opt-out-not-forwarded'),
        },
      },
    },
    async (request, reply) => {
      const { form } = requireSignature(request, inboundPath);
      const optOut = optOutOf(form, request.log);
      if (optOut) await forward(optOut, forwarder, request.log);
      return reply.type('text/xml').serializer(String).send(noReply);
    },
  );
}

/** Undefined for any other SMS, and for a keyword that came through another channel than SMS, whose sender is no phone. */
function optOutOf(form: URLSearchParams, log: FastifyBaseLogger): OptOut | undefined {
  const keyword = keywordOf(form);
  if (!keyword) return undefined;
  const { data } = optOutSchema.safeParse({
    provider: 'Twilio',
    phone: form.get('From'),
    keyword,
    message_id: form.get('MessageSid'),
  });
  if (!data)
    log.warn({ provider: 'Twilio', keyword }, 'a keyword without a phone or a message id was ignored');
  return data;
}

/** @throws Problem if Twilio is to repeat its request, or to show it as an error */
async function forward(optOut: OptOut, forwarder: ReceiptForwarder, log: FastifyBaseLogger): Promise<void> {
  const { provider, message_id, keyword } = optOut;
  const forwarding = await forwarder.forwardOptOut(optOut);
  const fields = { provider, message_id, keyword, forwarding };
  if (forwarding === 'recorded') return log.info(fields, 'opt-out forwarded');
  log.error(fields, 'an opt-out could not be forwarded');
  if (forwarding !== 'refused') throw twilioProblem('opt-out-not-forwarded');
}
