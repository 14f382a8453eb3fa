import { aldeamoCredentials } from '../aldeamo-service/src/config.ts';
import { twilioAccount } from '../twilio-service/src/config.ts';
import type { Settings } from './settings.ts';

/** What `npm start` prints once the services listen. */
export function announcement({ plans, payment, aldeamo, twilio }: Settings): string {
  const [paymentUrl, aldeamoUrl, twilioUrl] = plans.map(({ url }) => url);
  const isAldeamoLive = aldeamoCredentials(aldeamo) !== undefined;
  const isTwilioLive = twilioAccount(twilio) !== undefined;
  // A sandbox needs no phone. A number that is made up may be a stranger's, so there is none to be copied.
  const phone = isAldeamoLive || isTwilioLive ? ' "phone": "<your phone, as +57…>",' : '';
  const key = (name: string) => ` -H "Authorization: Bearer <a key of ${name}>"`;
  return `
  payment-service  ${paymentUrl}   the live page; its API to try out: ${paymentUrl}/docs
  aldeamo-service  ${aldeamoUrl}   ${describeMode(isAldeamoLive)}
  twilio-service   ${twilioUrl}   ${describeMode(isTwilioLive)}

  Send a payment:
    curl -X POST ${paymentUrl}/payments -H "Content-Type: application/json"${payment.API_KEYS ? key('API_KEYS') : ''} \\
      -d '{"amount": 100.0, "customer_id": "123",${phone} "message": "Pago recibido"}'
${
  isAldeamoLive || isTwilioLive
    ? ''
    : `  Break Aldeamo's sandbox, and send another:
    curl -X POST "${aldeamoUrl}/toggle-failure?failure_rate=1"${payment.ADMIN_API_KEY ? key('ADMIN_API_KEY') : ''}
`
}${isAldeamoLive === isTwilioLive ? '' : halfLive}
  Ctrl-C stops all three.

`;
}

const halfLive = `  One provider is live and the other a sandbox: there is no failover. See docs/providers.md#one-live-provider
`;

const describeMode = (isLive: boolean) => (isLive ? 'live: SMS are sent' : 'a sandbox: no SMS is sent');
