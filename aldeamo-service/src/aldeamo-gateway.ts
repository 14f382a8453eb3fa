import { randomUUID } from 'node:crypto';
import { isRedirect } from 'service-kit/client/answer.ts';
import { basicAuthorization, createHttpClient } from 'service-kit/client/http-client.ts';
import type { Outcome } from 'service-kit/contract/notification.ts';
import { splitPhone } from 'service-kit/contract/phone.ts';
import { isGsm7 } from 'service-kit/contract/sms-text.ts';
import { createAlerts } from 'service-kit/provider/alerts.ts';
import { type Gateway, type LiveGatewayOptions, phoneUnknown } from 'service-kit/provider/gateway.ts';
import { credentialsRefused, outcomeOfSend } from './aldeamo-outcomes.ts';

export interface AldeamoOptions extends LiveGatewayOptions {
  username: string;
  password: string;
  /** A monotonic clock in ms, which tests replace. */
  now?: () => number;
}

const rememberedMs = 60 * 1000;

/** Rejected without a call, so it says nothing about Aldeamo. */
const phoneInvalid = { outcome: 'rejected', reason: 'phone_invalid', no_outage: true } satisfies Outcome;

/** Sends SMS through Aldeamo's API. */
export function createAldeamoGateway({
  username,
  password,
  log,
  now = () => performance.now(),
  ...options
}: AldeamoOptions): Gateway {
  const api = createHttpClient(options);
  const authorization = basicAuthorization(username, password);
  const alerts = createAlerts('Aldeamo', log);
  let allRefusedAt = Number.NEGATIVE_INFINITY;

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
      const outcome = await api.send(
        {
          method: 'POST',
          path: '/SmsiWS/smsSendPost/',
          headers: { authorization, 'content-type': 'application/json', accept: 'application/json' },
          body: JSON.stringify(body),
        },
        (answer) => {
          const outcome = outcomeOfSend(answer, { message, label });
          const refusesAll = outcome === credentialsRefused || isRedirect(answer);
          if (refusesAll && outcome.outcome === 'not_sent') {
            allRefusedAt = now();
            alerts.begin(outcome.reason);
          }
          return outcome;
        },
      );
      if (outcome.outcome === 'accepted') {
        allRefusedAt = Number.NEGATIVE_INFINITY;
        alerts.end();
      }
      return outcome;
    },

    /**
     * Aldeamo has no health check, and its front page may answer any user, or redirect to another page, so it is no proof that a
     * send would be accepted. Refused credentials and a redirected send are remembered, because a circuit that closed would open
     * again with the next payment, and flap. For a minute only, because they may be a proxy's, too, and Aldeamo healthy.
     */
    async check() {
      if (now() - allRefusedAt < rememberedMs) return false;
      try {
        const { status } = await api.call({ method: 'GET', path: '/', headers: { authorization } });
        return status < 500 && status !== 401 && status !== 403;
      } catch {
        return false;
      }
    },

    close: api.close,
  };
}
