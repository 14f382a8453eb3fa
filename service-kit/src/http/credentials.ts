import { hash, timingSafeEqual } from 'node:crypto';
import { correlationHeaders } from '../telemetry/correlation.ts';

/** `client`: users of the public API; `admin`: resets, retries, sandbox controls; `service`: the services among themselves. */
export type Role = 'client' | 'admin' | 'service';

/** A name, its role, and the digest of its key: the key itself is not stored. */
export interface Credential {
  name: string;
  role: Role;
  /** Whether it authorizes no other requests than GET and HEAD. */
  isReadOnly: boolean;
  digest: Buffer;
}

export const createCredential = (
  name: string,
  role: Role,
  key: string,
  { isReadOnly = false } = {},
): Credential => ({ name, role, isReadOnly, digest: digestOf(key) });

/** Compares the digests of all keys, each in constant time, so that the time it takes reveals nothing of them. */
export function findCredential(credentials: readonly Credential[], key: string): Credential | undefined {
  const digest = digestOf(key);
  const [found] = credentials.filter((credential) => timingSafeEqual(credential.digest, digest));
  return found;
}

const digestOf = (key: string): Buffer => hash('sha256', key, 'buffer');

/** The headers of a request to another of our services: the first of the keys (RFC 6750) and the correlation. */
export const serviceHeaders =
  ([first]: readonly { key: string }[] = []) =>
  (): Record<string, string> => ({
    ...(first && { authorization: `Bearer ${first.key}` }),
    ...correlationHeaders(),
  });
