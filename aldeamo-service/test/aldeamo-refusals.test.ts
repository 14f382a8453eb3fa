import { describe, expect, test } from 'vitest';
import { cpuTimeOf } from '../../test/cpu-time.ts';
import { causeOf, codeOf } from '../src/aldeamo-refusals.ts';

test.each([
  ['Número inválido', 'phone_invalid'],
  ['Invalid GSM', 'phone_invalid'],
  ['No cumple con el formato', 'phone_invalid'],
  ['Número bloqueado', 'blocked'],
  ['Lista negra', 'blocked'],
  ['Lista de exclusiones', 'blocked'],
  ['Subscriber opted out', 'opted_out'],
])('%s, has the reason %s', (text, reason) => {
  expect(causeOf(-6, text)).toEqual({ about: 'recipient', reason });
});

describe('of the account', () => {
  test.each([
    ['Paquete sin saldo', 'balance'],
    ['PAQUETE SIN SALDO.', 'balance'],
    ['No available package', 'balance'],
    ['El paquete de SMS se encuentra vencido', 'balance'],
    ['Paquete deshabilitado', 'balance'],
    ['Paquete agotado', 'balance'],
    ['Package expired', 'balance'],
    ['The package is disabled', 'balance'],
    ['Disabled package', 'balance'],
    ['No hay paquetes disponibles', 'balance'],
    ['Saldo insuficiente', 'balance'],
    ['Insufficient balance', 'balance'],
    ['Sin saldo', 'balance'],
    ['Saldo no disponible', 'balance'],
    ['Package without balance', 'balance'],
    ['Paquete\u00a0s\ufffdn saldo', 'balance'],
    ['Ruta no configurada', 'route_not_configured'],
    ['La ruta para el operador no está configurada', 'route_not_configured'],
    ['Route not configured', 'route_not_configured'],
    ['Sin ruta configurada', 'route_not_configured'],
    ['Error de autenticación', 'credentials'],
    ['Authentication failed', 'credentials'],
    ['Usuario o contraseña incorrectos', 'credentials'],
    ['Credenciales inválidas', 'credentials'],
    ['Usuario no autorizado', 'credentials'],
    ['Usuario y/o contraseña incorrectos', 'credentials'],
    ['Cuenta bloqueada', 'account_blocked'],
    ['Account suspended', 'account_blocked'],
    ['Cuenta\u0000bloqueada', 'account_blocked'],
  ])('%j has the reason %s', (text, reason) => {
    expect(causeOf(-6, text)).toEqual({ about: 'account', reason });
  });

  test('-2 is the route that is not configured, whatever the text', () => {
    const route = { about: 'account', reason: 'route_not_configured' };
    expect([undefined, '', 'Número inválido'].map((text) => causeOf(-2, text))).toEqual([
      route,
      route,
      route,
    ]);
  });
});

test.each([
  [-6, 'aldeamo_-6'],
  [0, 'aldeamo_0'],
  [-9999, 'aldeamo_-9999'],
  [undefined, 'refused'],
  [1, 'refused'],
  [Number.NaN, 'refused'],
  [-1.5, 'refused'],
  [3_001_234_567, 'refused'],
  [-3_001_234_567, 'refused'],
  [Number.NEGATIVE_INFINITY, 'refused'],
])('a refusal with the status %s, whose cause is not known, has the reason %s', (status, code) => {
  expect(codeOf(status)).toBe(code);
});

test.each([
  'Número inválido',
  'NUMERO INVALIDO',
  'Numero de telefono no es valido',
  'El número 573001234567 no existe',
  'Número telefónico incorrecto',
  'Número móvil erróneo',
  'Formato de número incorrecto',
  'Mensaje no enviado: destino inválido',
  'Invalid mobile number',
  'invalid number format',
  'The number is invalid',
  'Wrong phone',
  'Unknown subscriber',
  'Destination number is not valid',
  'Abonado inexistente',
  'Bloqueado',
  'Blocked.',
  'Número bloqueado',
  'Destinatario está bloqueado',
  'Recipient blocked',
  'El número está en lista negra',
  'Blacklisted',
  'Black list',
  'Opt-out',
  'Recipient has opted out',
  'Usuario dado de baja',
  'UNSUBSCRIBED',
  'El cliente no desea recibir mensajes',
  'Invalid GSM',
  'GSM inválido',
  'GSM 573001234567 inválido',
  'Celulares inválidos',
  'El número 3001234567 no cumple con el formato',
  'Black-list',
  'El celular no cumple con el formato',
  'Número no cumple con el formato de Colombia',
  'No cumple con el formato',
  'Número en lista de exclusión',
  'El número se encuentra en listas de exclusiones',
  'Número excluido',
])('%s is about the recipient', (text) => {
  expect(causeOf(-6, text)?.about).toBe('recipient');
});

test.each([
  'Número\u00a0inválido',
  'Número\u202f\u2003inválido',
  'Numero\u0000invalido',
  'Numero\r\n\tinvalido',
  'Numero      invalido',
  'Numero\u200b invalido',
  'Nu\u00admero inva\u2060lido',
  'Numero\u200binvalido',
  '\ufeffNúmero\u3000inválido\u200e',
  'Número – inválido',
  'Número\u2011inválido',
  'NUMERO_INVALIDO',
  'Ｎｕｍｅｒｏ ｉｎｖａｌｉｄｏ',
  'N\ufffdmero inv\ufffdlido',
  'N\ufffd\ufffdmero inv\ufffd\ufffdlido',
  'Numero\ufffdinvalido',
  'N\ufffdmero\ufffdinv\ufffdlido',
  'N\ufffdmero m\ufffdvil err\ufffdneo',
  'El n\ufffdmero 573001234567 no es v\ufffdlido',
  'Tel\ufffdfono desconocido',
  'N\ufffdmero est\ufffd bloqueado',
  'L\ufffdnea bloqueada',
  'Lista\u00a0negra',
  'Dado\u0085de\u00a0baja',
  'Opt\u2011out',
  'Bloqueado\u0000',
  '\ufffdBloqueado\ufffd',
])('%j, whose characters are odd, is about the recipient', (text) => {
  expect(causeOf(undefined, text)?.about).toBe('recipient');
});

test.each([
  '',
  'Error',
  'Mensaje inválido',
  'Invalid message',
  'Invalid encoding',
  'Número de caracteres inválido',
  'Usuario bloqueado',
  'Invalid sender number',
  'Operador no disponible',
  'Ruta inválida para el destino',
  'País no permitido',
  'Contenido bloqueado',
  'Too many messages to this number',
  'The sender number is invalid',
  'Número de remitente inválido',
  'Invalid number of characters',
  'Número inválido de caracteres',
  'Carácter GSM inválido',
  'Caracteres GSM inválidos',
  'Invalid GSM character',
  'Invalid GSM7 encoding',
  'Invalid GSM-7 message',
  'Codificación GSM inválida',
  'El mensaje no cumple con el formato',
  'El número de caracteres no cumple con el formato',
  'dateToSend no cumple con el formato',
  'Número de remitente no cumple con el formato',
  'La fecha de envío no cumple con el formato',
  'Ruta no disponible',
  'Sin ruta',
  'Paquete no encontrado en la red',
  'Mensaje\u00a0inválido',
  'Mensaje inv\ufffdlido',
  'Ruta inv\ufffdlida',
  'N\ufffdmero de caracteres inv\ufffdlido',
  '\ufffd',
  '\ufffd \ufffd \ufffd',
  `${'number 1 '.repeat(20_000)}!`,
  '\ufffd '.repeat(100_000),
  '\ufffd.\ufffda'.repeat(50_000),
  'n\ufffdmero\ufffdi\ufffd-\ufffds.'.repeat(15_000),
  'numero - es - '.repeat(15_000),
  '.'.repeat(200_000),
])('%.40s is of no known cause', async (text) => {
  expect(await cpuTimeOf(() => expect(causeOf(-6, text)).toBeUndefined())).toBeLessThan(200);
});
