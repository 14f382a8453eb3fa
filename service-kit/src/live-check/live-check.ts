import { randomUUID } from 'node:crypto';
import type { AccountReport, UpstreamHealth } from '../contract/account.ts';
import type { Mode } from '../contract/mode.ts';
import type { NotifyRequest, Outcome, Provider } from '../contract/notification.ts';
import { remedyFor } from './remedies.ts';

/** A provider as a check reaches it: by a gateway of its own, or by the service that runs. Nothing of it rejects. */
export interface CheckedProvider {
  provider: Provider;
  /** Undefined if the service does not answer. */
  readState(): Promise<{ mode: Mode; account: Pick<AccountReport, 'balance'> | null } | undefined>;
  /** Asks the provider, and sends nothing. */
  check(): Promise<UpstreamHealth>;
  notify(request: NotifyRequest, idempotencyKey: string): Promise<Outcome>;
  close?(): Promise<void>;
}

interface Finding {
  /** Undefined if the service does not answer. */
  mode: Mode | undefined;
  /** Whether the provider would accept an SMS, or has just done so. */
  isFine: boolean;
  lines: string[];
}

/**
 * Checks the providers, and sends one test SMS through each live one if there is a phone to send it to.
 *
 * @param to E.164
 * @returns whether there is a live provider, and all of them are fine
 */
export async function checkLive(
  providers: CheckedProvider[],
  to: string | undefined,
  print: (line: string) => void,
): Promise<boolean> {
  const findings = await Promise.all(providers.map((provider) => examine(provider, to)));
  for (const line of findings.flatMap(({ lines }) => lines)) print(line);
  const modes = findings.map(({ mode }) => mode);
  if (!modes.includes('live') && modes.includes('sandbox'))
    print('No provider is live: set the credentials, see docs/providers.md#going-live');
  else if (modes.includes('sandbox'))
    print(
      'One provider is live and the other is not: there is no failover, see docs/providers.md#one-live-provider',
    );
  return modes.includes('live') && findings.every(({ isFine }) => isFine);
}

async function examine(checked: CheckedProvider, to: string | undefined): Promise<Finding> {
  const { provider } = checked;
  const mode = (await checked.readState())?.mode;
  if (mode === undefined)
    return {
      mode,
      isFine: false,
      lines: [`${provider}: its service does not answer; start it, and see its log`],
    };
  if (mode === 'sandbox')
    return {
      mode,
      isFine: true,
      lines: [`${provider}: a sandbox, because it has no credentials; no SMS is sent`],
    };
  const health = await checked.check();
  const balance = (await checked.readState())?.account?.balance ?? undefined;
  const account = `${provider}: live, ${describeAccount(provider, health, balance)}`;
  if (health.status === 'unhealthy')
    return { mode, isFine: false, lines: [to === undefined ? account : `${account}; no test SMS is sent`] };
  if (to !== undefined) {
    const { isAccepted, line } = await sendTest(checked, to);
    return { mode, isFine: isAccepted && balance !== 0, lines: [account, line] };
  }
  const isShown = health.status === 'healthy';
  return {
    mode,
    isFine: isShown && balance !== 0,
    lines: [isShown ? account : `${account}; send a test SMS with --to`],
  };
}

function describeAccount(provider: Provider, health: UpstreamHealth, balance: number | undefined): string {
  const { status, reason, account_refused } = health;
  const because = reason === null ? '' : ` (${reason})${remedyFor(provider, reason)}`;
  if (account_refused) return `the account is refused${because}`;
  if (status === 'unhealthy') return `its API is not reached, or fails${because}`;
  if (status === 'unknown') return `only an SMS can show whether the account is accepted${because}`;
  if (balance === 0) return `the account is accepted, and no SMS are left${remedyFor(provider, 'balance')}`;
  return `the account is accepted${balance === undefined ? '' : `, ${balance} SMS are left`}`;
}

async function sendTest({ provider, notify }: CheckedProvider, phone: string) {
  // `live_only`, because a service may have become a sandbox meanwhile.
  const request = {
    message: `SMS de prueba por ${provider}`,
    customer_id: 'check-live',
    phone,
    live_only: true,
  };
  const outcome = await notify({ ...request, ttl_seconds: 600 }, `check-live-${randomUUID()}`);
  const isAccepted = outcome.outcome === 'accepted';
  const result = isAccepted
    ? `accepted, message id ${outcome.message_id}`
    : `${outcome.outcome} (${outcome.reason})${remedyFor(provider, outcome.reason)}`;
  return { isAccepted, line: `${provider}: test SMS ${result}` };
}
