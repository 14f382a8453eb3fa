import { hash, timingSafeEqual } from 'node:crypto';
import { correlationHeaders } from '../telemetry/correlation.ts';

/** `client`: whoever uses the public API; `admin`: who resets, retries and pulls levers; `service`: one of the trio. */
export type Role = 'client' | 'admin' | 'service';

/** Somebody who may ask, and the digest of the key that shows it: the key itself is not kept. */
export interface Credential {
  name: string;
  role: Role;
  digest: Buffer;
}

export const createCredential = (name: string, role: Role, key: string): Credential => ({
  name,
  role,
  digest: digestOf(key),
});

/** How long it takes says nothing of the keys: digests are compared, all of them, and each in constant time. */
export function findCredential(credentials: readonly Credential[], key: string): Credential | undefined {
  const digest = digestOf(key);
  const [found] = credentials.filter((credential) => timingSafeEqual(credential.digest, digest));
  return found;
}

const digestOf = (key: string): Buffer => hash('sha256', key, 'buffer');

/** What our services send each other with each request: the key that lets them in (RFC 6750), and what it is about. */
export const serviceHeaders = (key: string | undefined) => (): Record<string, string> => ({
  ...(key !== undefined && { authorization: `Bearer ${key}` }),
  ...correlationHeaders(),
});
