import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { ConnectError } from 'service-kit/client/connect-error.ts';

type Resolve = (hostname: string, options: dns.LookupAllOptions, callback: ResolveCallback) => void;
type ResolveCallback = (error: NodeJS.ErrnoException | null, addresses: dns.LookupAddress[]) => void;

/**
 * Resolves a name to those of its addresses that are allowed. It is the lookup of the connection itself, so that what was checked is
 * what is connected to: a check before it could get another answer of the name server (DNS rebinding).
 */
export function createGuardedLookup(
  isAllowed: (address: string) => boolean,
  resolve: Resolve = dns.lookup,
): LookupFunction {
  const resolveOnce = shareLookups(resolve);
  return (hostname, options, callback) =>
    resolveOnce(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, []);
      const allowed = found.filter(({ address }) => isAllowed(address));
      const [first] = allowed;
      if (!first) callback(new ConnectError('address_not_allowed', 'The name has no public address.'), []);
      else if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
}

/**
 * Has the connections that are opened at the same time share one lookup. Each takes one of the process's four threads for lookups
 * until the name server has answered, or the system has given it up, whatever the deadline of the connection: as many as there are
 * tries would have the SMS wait whose provider service has a name as well.
 */
function shareLookups(resolve: Resolve): Resolve {
  const waiting = new Map<string, ResolveCallback[]>();
  return (hostname, options, callback) => {
    const others = waiting.get(hostname);
    if (others) return void others.push(callback);
    const callbacks = [callback];
    waiting.set(hostname, callbacks);
    resolve(hostname, options, (...result) => {
      waiting.delete(hostname);
      for (const each of callbacks) each(...result);
    });
  };
}
