/** Texts and phones that tests have sent: none of them may be in a log. */
const sent = new Set<string>(['Se ha procesado un pago']);

/** Shorter ones are words that any line may have. */
const shortest = 6;
/** So many characters of a text give it away: a log may cut it off. */
const telling = 16;
/** Of a phone, without the calling code: a provider may get it, and say it, without. */
const nationalDigits = 10;

/** Takes note of what is in a request's body. */
export function noteSecrets(body: unknown): void {
  const { message, phone } = (body ?? {}) as { message?: unknown; phone?: unknown };
  const lines = typeof message === 'string' ? message.split('\n') : [];
  const phones = typeof phone === 'string' ? [phone, phone.replace(/\D/g, '').slice(-nationalDigits)] : [];
  for (const text of [...lines.map((line) => line.trim().slice(0, telling)), ...phones])
    if (text.length >= shortest) sent.add(text);
}

/** The lines that hold a text or a phone: one that was sent, in JSON or bare, or whatever looks like a phone. */
export function leaksIn(lines: readonly string[]): string[] {
  const secrets = [...sent].flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  return lines.filter((line) => /\+\d{8,15}/.test(line) || secrets.some((text) => line.includes(text)));
}

/** @throws Error that names the lines; or if there are none, as a scan of nothing proves nothing */
export function scanForLeaks(name: string, lines: readonly string[]): void {
  if (lines.length === 0) throw new Error(`${name} has logged nothing`);
  const leaks = leaksIn(lines);
  if (leaks.length > 0) throw new Error(`${name} has logged a text or a phone:\n${leaks.join('\n')}`);
}

/** What GET /metrics shows; nothing if the service does not answer, or not without a key. */
export async function readMetrics(url: string): Promise<string[]> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5000) });
    return response.ok ? (await response.text()).split('\n') : [];
  } catch {
    return [];
  }
}

/** What a service has logged, and what it shows at /metrics, if it does. */
export function scanService(service: string, logged: readonly string[], metrics: readonly string[]): void {
  scanForLeaks(service, logged);
  if (metrics.length > 0) scanForLeaks(`/metrics of ${service}`, metrics);
}
