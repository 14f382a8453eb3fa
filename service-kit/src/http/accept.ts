/** Whether `Accept` weighs the type above JSON, or as much without a word of JSON (RFC 9110 section 12.5.1). */
export function prefersToJson(type: string, accept = ''): boolean {
  const weights = new Map(
    accept.split(',').map((range) => {
      const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return [name, weight === undefined ? 1 : Number(weight) || 0] as const;
    }),
  );
  const preferred = weights.get(type) ?? 0;
  const named = weights.get('application/json');
  if (named !== undefined) return preferred > named;
  const json = weights.get('application/*') ?? weights.get('*/*') ?? 0;
  return preferred > 0 && preferred >= json;
}
