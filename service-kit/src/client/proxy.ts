import { BlockList, isIP } from 'node:net';

export interface ProxyOptions {
  /** An http:// or https:// URL, perhaps with a user and a password. */
  url: string;
  /** The hosts that are reached without it, as in NO_PROXY. */
  except: string;
}

/** The proxy for calls to this service. HTTPS_PROXY is, as its name says, for https:// URLs alone. */
export function proxyOf(service: URL, options: ProxyOptions | undefined): URL | undefined {
  if (!options || service.protocol !== 'https:') return undefined;
  const entries = options.except.toLowerCase().split(/[\s,]+/);
  return entries.some((entry) => covers(entry, service)) ? undefined : new URL(options.url);
}

/**
 * Whether an entry of NO_PROXY names this host: `*`, an address, a subnet, or a name, which stands for its subdomains, too, with or
 * without `.` or `*.` before it; perhaps with a port. There is no standard; these are the forms that curl reads. Another entry names
 * no host, because the list is often that of a whole machine.
 */
function covers(entry: string, { hostname, port }: URL): boolean {
  if (entry === '*') return true;
  const host = withoutBrackets(hostname);
  const isAddress = isIP(entry.replace(/\/.*/, '')) !== 0; // whose colons are no port's
  const [, name = '', ofPort] = isAddress
    ? [entry, entry]
    : (/^(?:\*?\.)?([^:]+|\[.+\])(?::(\d+))?$/.exec(entry) ?? []);
  if (ofPort && ofPort !== (port || '443')) return false;
  const [address = '', prefix] = withoutBrackets(name).split('/');
  if (isIP(address)) return isWithin(host, address, prefix);
  return name !== '' && (host === name || host.endsWith(`.${name}`));
}

const withoutBrackets = (host: string) => host.replace(/^\[|\]$/g, '');

function isWithin(host: string, address: string, prefix: string | undefined): boolean {
  const longest = isIP(address) === 4 ? 32 : 128;
  const bits = prefix === undefined ? longest : Number(prefix);
  if (!isIP(host) || !Number.isInteger(bits) || bits < 0 || bits > longest) return false;
  const subnet = new BlockList();
  subnet.addSubnet(address, bits, familyOf(address));
  return subnet.check(host, familyOf(host));
}

const familyOf = (address: string) => (isIP(address) === 4 ? 'ipv4' : 'ipv6');
