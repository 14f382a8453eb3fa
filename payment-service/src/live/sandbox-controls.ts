import { type Answer, parseJson } from 'service-kit/client/answer.ts';
import type { HttpClient } from 'service-kit/client/http-client.ts';
import type { Provider } from 'service-kit/contract/notification.ts';
import { printable } from 'service-kit/contract/printable.ts';
import { type SandboxSettings, sandboxSettingsSchema } from 'service-kit/contract/sandbox-settings.ts';
import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { type Problem, problemSchema } from 'service-kit/http/problem.ts';
import { paymentProblem } from '../delivery/problems.ts';

/** Reads and changes the settings of the providers' sandboxes, for demonstrations of a failover. A live provider has none. */
export interface SandboxControls {
  /** The settings as of the last refresh; null if the provider is live, or its service cannot be reached. */
  settings(): Record<Provider, SandboxSettings | null>;
  /** Reads the settings again. It never rejects. */
  refresh(): Promise<void>;
  /** @throws Problem */
  set(provider: Provider, changes: Partial<SandboxSettings>): Promise<SandboxSettings>;
  close(): Promise<void>;
}

export function createSandboxControls(
  services: Record<Provider, Pick<HttpClient, 'call' | 'close'>>,
): SandboxControls {
  const known: Record<Provider, SandboxSettings | null> = { Aldeamo: null, Twilio: null };

  async function read(provider: Provider): Promise<void> {
    try {
      const { status, body } = await services[provider].call({ method: 'GET', path: '/sandbox' });
      known[provider] = status === 200 ? parseSettings(body) : null;
    } catch {
      known[provider] = null;
    }
  }

  return {
    settings: () => ({ ...known }),

    async refresh() {
      await Promise.all([read('Aldeamo'), read('Twilio')]);
    },

    async set(provider, changes) {
      const answer = await services[provider]
        .call({
          method: 'POST',
          path: '/sandbox',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(changes),
        })
        .catch(() => {
          throw paymentProblem('provider-unreachable', {
            detail: `The service of ${provider} cannot be reached.`,
          });
        });
      if (answer.status !== 200) throw problemOf(provider, answer);
      const settings = parseSettings(answer.body);
      if (!settings) throw unexpectedAnswer(provider);
      known[provider] = settings;
      return settings;
    },

    async close() {
      await Promise.all([services.Aldeamo.close(), services.Twilio.close()]);
    },
  };
}

/** More than sandboxes have settings. */
const mostErrors = 20;

const parseSettings = (body: string) => sandboxSettingsSchema.safeParse(parseJson(body)).data ?? null;

function problemOf(provider: Provider, { status, body }: Answer): Problem {
  if (status === 404)
    return paymentProblem('sandbox-not-found', { detail: `${provider} is live, so it has no sandbox.` });
  if (status !== 400) return unexpectedAnswer(provider);
  const errors = problemSchema
    .safeParse(parseJson(body))
    .data?.errors?.slice(0, mostErrors)
    .map(({ path, message }) => ({ path: printable(path, 200), message: printable(message, 200) }));
  return invalidRequest(errors);
}

const unexpectedAnswer = (provider: Provider) =>
  paymentProblem('provider-answer-unexpected', {
    detail: `The service of ${provider} returned an unexpected answer.`,
  });
