import { type Answer, parseJson } from 'service-kit/client/answer.ts';
import type { HttpClient } from 'service-kit/client/http-client.ts';
import type { Provider } from 'service-kit/contract/notification.ts';
import { type SandboxSettings, sandboxSettingsSchema } from 'service-kit/contract/sandbox-settings.ts';
import { Problem, problemSchema } from 'service-kit/http/problem.ts';

/** The settings of the providers' sandboxes, for people who watch a failover. A live provider has none. */
export interface Levers {
  /** As they were when they were last asked for; null where there is no sandbox, or nobody answers. */
  settings(): Record<Provider, SandboxSettings | null>;
  /** Asks for them again. It never rejects. */
  refresh(): Promise<void>;
  /** @throws Problem */
  set(provider: Provider, changes: Partial<SandboxSettings>): Promise<SandboxSettings>;
  close(): Promise<void>;
}

export function createLevers(services: Record<Provider, Pick<HttpClient, 'call' | 'close'>>): Levers {
  const known: Record<Provider, SandboxSettings | null> = { Aldeamo: null, Twilio: null };

  async function ask(provider: Provider): Promise<void> {
    try {
      const { status, body } = await services[provider].call({ method: 'GET', path: '/sandbox' });
      known[provider] = status === 200 ? readSettings(body) : null;
    } catch {
      known[provider] = null;
    }
  }

  return {
    settings: () => ({ ...known }),

    async refresh() {
      await Promise.all([ask('Aldeamo'), ask('Twilio')]);
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
          throw new Problem(503, 'provider-unreachable', `The service of ${provider} can not be reached.`);
        });
      if (answer.status !== 200) throw problemOf(provider, answer);
      const settings = readSettings(answer.body);
      if (!settings) throw unreadable(provider);
      known[provider] = settings;
      return settings;
    },

    async close() {
      await Promise.all([services.Aldeamo.close(), services.Twilio.close()]);
    },
  };
}

const readSettings = (body: string) => sandboxSettingsSchema.safeParse(parseJson(body)).data ?? null;

function problemOf(provider: Provider, { status, body }: Answer): Problem {
  if (status === 404)
    return new Problem(404, 'no-sandbox', `${provider} is live: there is no sandbox to set.`);
  if (status !== 400) return unreadable(provider);
  const { errors } = problemSchema.safeParse(parseJson(body)).data ?? {};
  return new Problem(400, 'invalid-request', 'The body of the request is not valid.', { errors });
}

const unreadable = (provider: Provider) =>
  new Problem(502, 'provider-answer', `The service of ${provider} did not do what it was asked.`);
