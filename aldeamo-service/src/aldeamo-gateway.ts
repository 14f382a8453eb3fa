import { randomUUID } from 'node:crypto';
import { reasonOfError } from 'service-kit/client/answer.ts';
import { basicAuthorization, createHttpClient } from 'service-kit/client/http-client.ts';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { splitPhone } from 'service-kit/contract/phone.ts';
import { isGsm7 } from 'service-kit/contract/sms-text.ts';
import type { Reading } from 'service-kit/provider/account.ts';
import { type Gateway, type LiveGatewayOptions, phoneUnknown } from 'service-kit/provider/gateway.ts';
import { readSend } from './aldeamo-outcomes.ts';
import { readPackageReport } from './aldeamo-packages.ts';

export interface AldeamoOptions extends LiveGatewayOptions {
  username: string;
  password: string;
}

/** Rejected without a call, so it says nothing about Aldeamo. */
const phoneInvalid = { outcome: 'rejected', reason: 'phone_invalid', no_outage: true } satisfies Outcome;

/** `land` is the calling code of Colombia, where Aldeamo's accounts are. A wrong one costs the balance, and no SMS. */
const packageReport = JSON.stringify({ land: '57' });

/** Sends SMS through Aldeamo's API. */
export function createAldeamoGateway({ username, password, account, ...options }: AldeamoOptions): Gateway {
  const api = createHttpClient(options);
  const headers = {
    authorization: basicAuthorization(username, password),
    'content-type': 'application/json',
    accept: 'application/json',
  };

  return {
    async send({ phone, message, idempotency_key }) {
      if (!phone) return phoneUnknown;
      const parts = splitPhone(phone);
      if (!parts) return phoneInvalid;
      const label = idempotency_key ?? randomUUID();
      const body = {
        country: parts.callingCode,
        message,
        encoding: isGsm7(message) ? 'GSM7' : 'UTF-8',
        messageFormat: 1, // a normal SMS, whatever its encoding; 2 would be a flash SMS
        addresseeList: [{ mobile: parts.nationalNumber, correlationLabel: label }],
      };
      const begunAt = performance.now();
      let fault: Reading['fault'];
      const outcome = await api.send(
        {
          method: 'POST',
          path: '/SmsiWS/smsSendPost/',
          headers,
          body: JSON.stringify(body),
        },
        (answer) => {
          const reading = readSend(answer, label);
          fault = reading.fault;
          return reading.outcome;
        },
      );
      return account.learnFromSend({ outcome, fault }, phone, begunAt);
    },

    async check() {
      try {
        return readPackageReport(
          await api.call({ method: 'POST', path: '/SmsiWS/packageReportPost', headers, body: packageReport }),
        );
      } catch (error) {
        return { state: 'unhealthy', reason: reasonOfError(error) };
      }
    },

    // Aldeamo's delivery reports exist, but their shape is not public.
    receipts: [],

    close: api.close,
  };
}
