import { reachableUrl } from './reachable-url.ts';

/** What GET / of the services says, by which another start of this project is known. */
const greetings: Record<string, string> = {
  'Servicio de Pagos': 'payment-service',
  'Servicio de Aldeamo': 'aldeamo-service',
  'Servicio de Twilio': 'twilio-service',
};

/** How long the program on the port may take to name itself, in ms. */
const answerMs = 1000;

interface Address {
  host: string;
  port: number;
  /** The name of the setting that changes the port. */
  setting: string;
}

/** Why a server could not listen, with the remedy, in one line; undefined if the error is of something else. */
export async function explainListenError(error: unknown, address: Address): Promise<string | undefined> {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const { host, port, setting } = address;
  if (syscall === 'getaddrinfo')
    return `the host name ${host} has no address: set HOST to an address of this machine, such as 127.0.0.1`;
  if (syscall !== 'listen') return undefined;
  if (code === 'EADDRINUSE')
    return `port ${port} is in use by ${await describeHolder(host, port)}: stop it, or set ${setting} to another port`;
  if (code === 'EACCES')
    return port < 1024
      ? `port ${port} is reserved for administrators, as all below 1024: set ${setting} to a port from 1024`
      : `the system does not allow port ${port}: set ${setting} to another port`;
  if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')
    return `${host} is not an address of this machine: set HOST to one that is, such as 127.0.0.1`;
  return undefined;
}

async function describeHolder(host: string, port: number): Promise<string> {
  const service = await serviceAt(host, port);
  return service
    ? `${service} of this project, which runs already (npm start or docker compose)`
    : 'another program';
}

/** The name of the service of this project that listens there; undefined if none does. */
export const serviceAt = (host: string, port: number): Promise<string | undefined> =>
  identify(`${reachableUrl(host, port)}/`).catch(() => undefined);

async function identify(url: string): Promise<string | undefined> {
  const response = await fetch(url, {
    headers: { accept: 'application/json', connection: 'close' },
    redirect: 'manual',
    signal: AbortSignal.timeout(answerMs),
  });
  // Of another program the answer may be of any size.
  if (!(Number(response.headers.get('content-length')) < 1000)) {
    await response.body?.cancel();
    return undefined;
  }
  const { message } = (await response.json()) as { message?: string };
  return greetings[message ?? ''];
}
