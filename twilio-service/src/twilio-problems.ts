import { type ProblemKinds, problemMaker } from 'service-kit/http/problem.ts';
import { providerProblems } from 'service-kit/provider/provider-problems.ts';

/** The problems of twilio-service: those of every provider service, and of its webhooks, which Twilio's debugger shows. */
export const twilioProblems = {
  ...providerProblems,
  'signature-invalid': {
    status: 403,
    detail: 'X-Twilio-Signature is missing or wrong.',
    meaning:
      'The request is not signed by Twilio with the auth token of this account, for the URL in PUBLIC_URL.',
    remedy:
      'The operator corrects PUBLIC_URL, TWILIO_AUTH_TOKEN, or the proxy, which has to pass the query on.',
  },
  'callback-incomplete': {
    status: 400,
    detail: 'MessageSid or the key of the attempt is missing.',
    meaning: 'The callback names no message, or no key of an attempt.',
    remedy: 'Use the URL of the status callback that each SMS is sent with, including its query.',
  },
  'receipt-not-forwarded': {
    status: 503,
    detail: 'payment-service cannot be reached. Retry later.',
    meaning: 'payment-service cannot be reached, or refuses SERVICE_TOKEN.',
    remedy:
      'Repeat the callback later. The operator sees that payment-service runs and has the same SERVICE_TOKEN.',
  },
  'opt-out-not-forwarded': {
    status: 503,
    detail: 'payment-service cannot be reached. Retry later.',
    meaning: 'payment-service cannot be reached, or refuses SERVICE_TOKEN.',
    remedy:
      'Repeat the request later. The operator sees that payment-service runs and has the same SERVICE_TOKEN.',
  },
} as const satisfies ProblemKinds;

export const twilioProblem = problemMaker(twilioProblems);
