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
  check(
    /^application\/json(; ?charset=utf-8)?$/i.test(headers['content-type'] ?? ''),
    `content-type is ${headers['content-type']}`,
  );
  let sent: Record<string, unknown>;
  try {
    sent = JSON.parse(body);
  } catch {
    return { wrong: [...wrong, 'the body is no JSON'] };
  }
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
  check(messageFormat === (fits ? 1 : 0), `messageFormat is ${messageFormat}`);
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
