import type { Credential } from 'service-kit/http/credentials.ts';

/** Keys are scoped to their client, so that the same Idempotency-Key of two clients means two requests. */
export const scopedKey = (key: string, client: Credential | undefined): string =>
  client ? `${client.name}:${key}` : key;
