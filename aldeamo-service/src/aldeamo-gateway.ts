import { randomUUID } from 'node:crypto';
import { isRedirect, reasonOfError } from 'service-kit/client/answer.ts';
import { basicAuthorization, createHttpClient } from 'service-kit/client/http-client.ts';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { splitPhone } from 'service-kit/contract/phone.ts';
import { isGsm7 } from 'service-kit/contract/sms-text.ts';
import type { Reading } from 'service-kit/provider/account.ts';
import { type Gateway, type LiveGatewayOptions, phoneUnknown } from 'service-kit/provider/gateway.ts';
import { credentialsRefused, outcomeOfSend } from './aldeamo-outcomes.ts';

export interface AldeamoOptions extends LiveGatewayOptions {
  username: string;
  password: string;
}

/** Rejected without a call, so it says nothing about Aldeamo. */
const phoneInvalid = { outcome: 'rejected', reason: 'phone_invalid', no_outage: true } satisfies Outcome;

/** Sends SMS through Aldeamo's API. */
export function createAldeamoGateway({ username, password, account, ...options }: AldeamoOptions): Gateway {
  const api = createHttpClient(options);
  const authorization = basicAuthorization(username, password);

  return {
    async send({ phone, message, idempotency_key }) {
      if (!phone) return phoneUnknown;
      const parts = splitPhone(phone);
      if (!parts) return phoneInvalid;
      const label = idempotency_key ?? randomUUID();
      const body = {
        country: parts.callingCode,
        message,
        ...(isGsm7(message)
          ? { encoding: 'GSM7', messageFormat: 1 }
          : { encoding: 'UTF-8', messageFormat: 0 }),
        addresseeList: [{ mobile: parts.nationalNumber, correlationLabel: label }],
      };
      let fault: Reading['fault'];
      const outcome = await api.send(
        {
          method: 'POST',
          path: '/SmsiWS/smsSendPost/',
          headers: { authorization, 'content-type': 'application/json', accept: 'application/json' },
          body: JSON.stringify(body),
        },
        (answer) => {
          const outcome = outcomeOfSend(answer, { message, label });
          if (outcome === credentialsRefused) fault = 'account';
          else if (isRedirect(answer)) fault = 'sender';
          return outcome;
        },
      );
      return account.learnFromSend({ outcome, fault }, phone);
    },

    async check() {
      try {
        const { status } = await api.call({ method: 'GET', path: '/', headers: { authorization } });
        if (status === 401) return { state: 'refused', reason: 'credentials' };
        if (status === 403) return { state: 'unknown', reason: 'check_forbidden' };
        return status < 500 ? { state: 'healthy' } : { state: 'unhealthy', reason: `http_${status}` };
      } catch (error) {
        return { state: 'unhealthy', reason: reasonOfError(error) };
      }
    },

    close: api.close,
  };
}
