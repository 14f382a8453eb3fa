/** Texts and phones that tests have sent: none of them may be in a log. */
const sent = new Set<string>(['Se ha procesado un pago']);

/** Shorter ones are words that any line may have. */
const shortest = 6;

/** Takes note of what is in a request's body. */
export function noteSecrets(body: unknown): void {
  const { message, phone } = (body ?? {}) as { message?: unknown; phone?: unknown };
  for (const text of [message, phone])
    if (typeof text === 'string' && text.trim().length >= shortest) sent.add(text);
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
