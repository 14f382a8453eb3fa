import type { FastifyRequest } from 'fastify';
import { requireNoCoding } from 'service-kit/http/body.ts';
import type { Server } from 'service-kit/http/types.ts';
import type { Account } from 'service-kit/provider/account.ts';
import type { ReceiptForwarder } from 'service-kit/provider/receipts/receipt-forwarder.ts';
import { registerInboundWebhook } from './inbound-webhook.ts';
import { createRequireSignature, type SignatureOptions } from './signed-request.ts';
import { registerStatusWebhook } from './status-webhook.ts';
import { twilioProblem } from './twilio-problems.ts';
import { parseForm } from './twilio-signature.ts';

/** What Twilio calls. Its requests are forwarded to payment-service. */
export function registerTwilioWebhooks(
  server: Server,
  options: SignatureOptions,
  forwarder: ReceiptForwarder,
  account: Account,
): void {
  server.stopping.addEventListener('abort', () => forwarder.stop());
  server.addHook('onClose', () => forwarder.close());
  const requireSignature = createRequireSignature(options);

  // A scope of its own, because no other route takes forms.
  server.register(async (scope: Server) => {
    parseFormsOnly(scope);
    registerStatusWebhook(scope, { requireSignature, forwarder, account });
    registerInboundWebhook(scope, { requireSignature, forwarder });
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
    throw twilioProblem('unsupported-media-type', { detail: 'Send a form.' });
  });
}
