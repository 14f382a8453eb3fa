/** Texts and phones that tests have sent. None of them may be in a log. */
const sent = new Set<string>();

/** Shorter texts may be in any line by chance. */
const shortest = 6;
/** Only the start of a text is searched for, because a log may truncate it. */
const prefixLength = 16;
/** A phone is also searched for without its calling code, because a provider may take and return it so. */
const nationalDigits = 10;

/** Deletes those of another file that ran in this process. */
export function deleteSecrets(): void {
  sent.clear();
  sent.add('Se ha procesado un pago');
}
deleteSecrets();

/** Adds the text and the phone of a request's body. */
export function noteSecrets(body: unknown): void {
  const { message, phone } = (body ?? {}) as { message?: unknown; phone?: unknown };
  const lines = typeof message === 'string' ? message.split('\n') : [];
  const phones = typeof phone === 'string' ? [phone, phone.replace(/\D/g, '').slice(-nationalDigits)] : [];
  for (const text of [...lines.map((line) => line.trim().slice(0, prefixLength)), ...phones])
    if (text.length >= shortest) sent.add(text);
}

/** Returns the lines with a sent text or phone, plain or as JSON, or with anything that looks like a phone. */
export function leaksIn(lines: readonly string[]): string[] {
  const secrets = [...sent].flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  return lines.filter((line) => /\+\d{8,15}/.test(line) || secrets.some((text) => line.includes(text)));
}

/** @throws Error that names the leaking lines; also without any lines, because an empty scan proves nothing */
export function scanForLeaks(name: string, lines: readonly string[]): void {
  if (lines.length === 0) throw new Error(`${name} has logged nothing`);
  const leaks = leaksIn(lines);
  if (leaks.length > 0) throw new Error(`${name} has logged a text or a phone:\n${leaks.join('\n')}`);
}

/** Returns the lines of GET /metrics; none if the service is down or requires a key. */
export async function readMetrics(url: string): Promise<string[]> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5000) });
    return response.ok ? (await response.text()).split('\n') : [];
  } catch {
    return [];
  }
}

/** Scans a service's log, and its metrics if there are any. */
export function scanService(service: string, logged: readonly string[], metrics: readonly string[]): void {
  scanForLeaks(service, logged);
  if (metrics.length > 0) scanForLeaks(`/metrics of ${service}`, metrics);
}
