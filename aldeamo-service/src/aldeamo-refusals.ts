/**
 * Why Aldeamo has refused an SMS. It gives a number, whose list is public in part, and free text. The text is read for what it is
 * about, and not kept, because it may quote the phone or the message.
 */
export interface Cause {
  /** `account`: every SMS is refused until a person corrects the account. */
  about: 'recipient' | 'account';
  reason: string;
}

/** The cause that the status of an entry or of the whole answer and its text name; undefined if it is none that is known. */
export function causeOf(status: number | undefined, text: string | null | undefined): Cause | undefined {
  if (status === -2) return { about: 'account', reason: 'route_not_configured' };
  if (!text) return undefined;
  const plain = plainOf(text.slice(0, longestRead));
  return causes.find(({ patterns }) => patterns.some((pattern) => pattern.test(plain)))?.cause;
}

/** The reason of a refusal whose cause is not known. Longer numbers might be a phone. */
export const codeOf = (status: number | undefined): string =>
  status !== undefined && Number.isInteger(status) && status !== 1 && Math.abs(status) < 10_000
    ? `aldeamo_${status}`
    : 'refused';

/** Of a text of up to 64 KiB. */
const longestRead = 2000;

/**
 * These patterns match text in Spanish and English that is lower case and without accents. `invalid` counts only beside a word for
 * the number, because an invalid message, sender or route is no reason to give up on the recipient.
 */
const number =
  '(?:numbers?|numeros?|nro\\.?|mobile|movil|msisdn|gsm(?![ -]?(?:7|03|encoding|character|charset|alphabet|text|message|format))|cell ?phone|celular(?:es)?|phone|telefono|linea|destination|destino|recipient|destinatarios?|addressee|subscriber|suscriptor|abonado)';
const invalid =
  '(?:invalid[oa]?s?|not valid|no (?:es )?valid[oa]|incorrect[oa]?|errone[oa]|wrong|malformed|mal formado|unknown|desconocid[oa]|unallocated|inexistente|no existe|does not exist|non-?existent)';
const blocked = '(?:blocked|bloquead[oa]|barred|excluded|excluid[oa])';
// Bounded, so that matching never backtracks for long. The last separator may have been a character without a width.
const fillers =
  '(?:[ :.,-]{1,3}(?:is|es|the|el|la|de|of|for|del|esta|telefonico|format|formato|\\+?\\d{1,15})){0,4}[ :.,-]{0,3}';
/** A number of something else. */
const ofAnother =
  '(?! (?:of|de) (?:characters|caracteres|segments|segmentos|parts|partes|messages|mensajes|attempts|intentos))';
/** The number of the sender, or the alphabet GSM 03.38. */
const notAnother =
  '(?<!(?:caracter|caracteres|codificacion|alfabeto|texto|sender|source|origin|remitente|from)(?: phone| mobile)? )';
const balance = '(?:saldo|credito|creditos|cupo|balance|credit|credits|funds)';
const packages = '(?:paquete|paquetes|package|packages)';
const usedUp =
  '(?:sin saldo|agotad[oa]s?|vencid[oa]s?|expirad[oa]s?|caducad[oa]s?|deshabilitad[oa]s?|inhabilitad[oa]s?|inactiv[oa]s?|terminad[oa]s?|finalizad[oa]s?|suspendid[oa]s?|no disponibles?|vaci[oa]s?|expired|disabled|finished|exhausted|used up|inactive|suspended|not available|unavailable|empty)';

const causes = [
  cause('recipient', 'phone_invalid', [
    notAnother + number + fillers + invalid + ofAnother,
    invalid + fillers + number + ofAnother,
    `(?:${number}${fillers}|^\\W*)no cumplen? (?:con )?(?:el|los) formatos?`,
  ]),
  cause('recipient', 'opted_out', [
    'opt(?:ed)?[ -]?out|unsubscribed?|dad[oa] de baja|desuscrit[oa]|no (?:desea|quiere) recibir|do not disturb|dnd',
  ]),
  cause('recipient', 'blocked', [
    number + fillers + blocked,
    blocked + fillers + number,
    `^\\W*${blocked}\\W*$`,
    'black[ -]?list(?:ed)?|listas? negras?|listas? de (?:bloqueo|exclusion|exclusiones)|exclusion lists?',
  ]),
  cause('account', 'balance', [
    `sin (?:${balance}|${packages})|no (?:hay|tiene|dispone de|cuenta con) (?:${balance}|${packages})`,
    `no (?:(?:available|active|valid|enabled) )?(?:${balance}|${packages})`,
    `${balance}.{0,40}(?:insuficientes?|insufficient|no disponibles?|agotad[oa]s?|exhausted|used up)`,
    `(?:insufficient|not enough|out of|without) ${balance}`,
    `${packages}.{0,40}${usedUp}`,
    `${usedUp} ${packages}`,
  ]),
  cause('account', 'route_not_configured', [
    'rutas?.{0,40}no (?:esta |estan )?(?:configurad|definid|asignad)[oa]s?',
    '(?:sin|no (?:hay|tiene|existe)) rutas? (?:configurad|definid|asignad)[oa]s?',
    'routes?.{0,40}not (?:configured|defined|assigned)|no (?:configured routes?|routes? configured)',
  ]),
  cause('account', 'credentials', [
    '(?:error|fallo|falla|failed|failure|invalid[oa]?|incorrect[oa]?).{0,20}(?:autenticacion|authentication|credenciales|credentials)',
    '(?:autenticacion|authentication|credenciales|credentials).{0,20}(?:error|fallida|fallo|failed|failure|invalid[oa]?s?|incorrect[oa]?s?)',
    '(?:usuario|user|username) (?:o|y|y/o|or|and) (?:contrasena|clave|password).{0,20}(?:invalid[oa]?s?|incorrect[oa]?s?|errone[oa]s?|wrong)',
    '(?:usuario|user) (?:no autorizado|not authorized|unauthorized)',
    '(?:invalid|incorrect|wrong) (?:user|username) (?:or|and) password',
  ]),
  cause('account', 'account_blocked', [
    '(?:cuenta|account)(?: is| esta)? (?:bloquead[oa]|suspendid[oa]|inactiv[oa]|deshabilitad[oa]|blocked|suspended|inactive|disabled)',
  ]),
];

function cause(about: Cause['about'], reason: string, patterns: string[]) {
  return {
    cause: { about, reason },
    patterns: patterns.map((words) => new RegExp(`(?<!\\w)(?:${evenUndecoded(words)})(?!\\w)`)),
  };
}

/** The pattern with U+FFFD as each of its letters and separators, which one that could not be decoded became. */
function evenUndecoded(pattern: string): string {
  return pattern.replace(
    /\[([^\]]+)\]|(?<!\\)[a-z ]/g,
    (found, members?: string) => `[\ufffd${members ?? found}]`,
  );
}

/** The words of a text: lower case, without accents and what is invisible, and with one kind of space and of dash. */
const plainOf = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/[\p{Mn}\p{Cf}\p{Default_Ignorable_Code_Point}]+/gu, '')
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .replace(/[\p{Pd}_]/gu, '-')
    .replace(/\ufffd+/g, '\ufffd')
    .toLowerCase();
