import { expect, test } from 'vitest';
import { outcomeOfRefusal } from '../src/aldeamo-outcomes.ts';

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
])('given %s, the outcome is rejected', (text) => {
  expect(outcomeOfRefusal(text, text)).toEqual({ outcome: 'rejected', reason: text });
});

test.each([
  '',
  'Error',
  'Mensaje inválido',
  'Invalid message',
  'Invalid encoding',
  'Número de caracteres inválido',
  'Cuenta bloqueada',
  'Usuario bloqueado',
  'Account blocked',
  'Invalid sender number',
  'Operador no disponible',
  'Ruta inválida para el destino',
  'Saldo insuficiente',
  'País no permitido',
  'Contenido bloqueado',
  'Too many messages to this number',
  `${'number 1 '.repeat(20_000)}!`,
])('given %.40s, the outcome is not_sent, and another provider may send it', (text) => {
  const started = performance.now();
  expect(outcomeOfRefusal(text, 'why')).toEqual({ outcome: 'not_sent', reason: 'why', no_outage: true });
  expect(performance.now() - started).toBeLessThan(200);
});
