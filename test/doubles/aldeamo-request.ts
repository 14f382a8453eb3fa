import { type ReceivedRequest, wrongNames } from './http-double.ts';

export interface AldeamoMessage {
  transactionId: number;
  /** E.164. */
  to: string;
  text: string;
  encoding: string;
  correlationLabel: string;
}

/** GSM 03.38 with its extension, but for the form feed. Not the service's own, so that a fault there is found. */
const gsm7 = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€',
);

/** Reads a send, or everything that is wrong with it. */
export function readSend(
  { method, path, headers, body }: ReceivedRequest,
  transactionId: number,
): { message?: AldeamoMessage; wrong: string[] } {
  const wrong: string[] = [];
  const check = (right: boolean, what: string) => right || wrong.push(what);
  check(method === 'POST' && path === '/SmsiWS/smsSendPost/', `${method} ${path} is unknown`);
  const sent = readJson({ headers, body }, wrong);
  if (!sent) return { wrong };
  wrong.push(
    ...wrongNames(Object.keys(sent), ['country', 'message', 'encoding', 'messageFormat', 'addresseeList']),
  );
  const { country, message, encoding, messageFormat, addresseeList } = sent;
  const list: Record<string, unknown>[] = Array.isArray(addresseeList) ? addresseeList : [];
  check(list.length === 1, 'addresseeList has not one entry');
  const addressee = list[0] ?? {};
  wrong.push(...wrongNames(Object.keys(addressee), ['mobile', 'correlationLabel']));
  const { mobile, correlationLabel } = addressee;
  check(typeof country === 'string' && /^[1-9]\d{0,2}$/.test(country), 'country is no calling code');
  check(typeof mobile === 'string' && /^\d{4,14}$/.test(mobile), 'mobile is no national number');
  check(typeof correlationLabel === 'string' && correlationLabel !== '', 'correlationLabel is empty');
  check(typeof message === 'string' && message !== '', 'message is empty');
  const fits = [...String(message)].every((character) => gsm7.has(character));
  check(encoding === (fits ? 'GSM7' : 'UTF-8'), `encoding is ${encoding}`);
  check(messageFormat === 1, `messageFormat is ${messageFormat}`);
  if (wrong.length > 0) return { wrong };
  return {
    wrong,
    message: {
      transactionId,
      to: `+${country}${mobile}`,
      text: String(message),
      encoding: String(encoding),
      correlationLabel: String(correlationLabel),
    },
  };
}

/** Everything that is wrong with a request for the packages. */
export function faultsOfPackageReport({ headers, body }: ReceivedRequest): string[] {
  const wrong: string[] = [];
  const asked = readJson({ headers, body }, wrong);
  if (!asked) return wrong;
  wrong.push(...wrongNames(Object.keys(asked), ['land'], ['packageStateList', 'packageTypeList']));
  if (typeof asked.land !== 'string' || !/^[1-9]\d{0,2}$/.test(asked.land))
    wrong.push('land is no calling code');
  return wrong;
}

function readJson(
  { headers, body }: Pick<ReceivedRequest, 'headers' | 'body'>,
  wrong: string[],
): Record<string, unknown> | undefined {
  const type = headers['content-type'];
  if (!/^application\/json(; ?charset=utf-8)?$/i.test(type ?? '')) wrong.push(`content-type is ${type}`);
  try {
    return JSON.parse(body);
  } catch {
    wrong.push('the body is no JSON');
    return undefined;
  }
}
