import { flag } from 'service-kit/http/configuration.ts';

/** The setting that isolates the clients of API_KEYS from each other. */
export const isolationSettings = () => ({
  CLIENTS_ISOLATED: flag()
    .default(false)
    .describe(
      'true has each client of API_KEYS see and change only its own payments and customers. Stop all replicas before you change it.',
    ),
});

interface IsolationSettings {
  API_KEYS?: { name: string }[] | undefined;
  CLIENTS_ISOLATED: boolean;
}

/** Warns of several clients that see each other's payments, which may be meant, as for the services of one shop. */
export function warnOfShared(
  { API_KEYS = [], CLIENTS_ISOLATED }: IsolationSettings,
  log: { warn: (fields: { clients: string[] }, message: string) => void },
): void {
  const clients = [...new Set(API_KEYS.map(({ name }) => name))];
  if (CLIENTS_ISOLATED || clients.length < 2) return;
  log.warn(
    { clients },
    'each of these clients can read the payments of all, and change the phones of all customers; CLIENTS_ISOLATED=true has each see its own alone',
  );
}
