import fc from 'fast-check';
import { idSchema, reasonSchema } from 'service-kit/contract/notification.ts';
import { expect, test } from 'vitest';
import { outcomeOfRefusal, outcomeOfSend } from '../src/aldeamo-outcomes.ts';

const sent = { message: 'Pago recibido', label: 'pmt_1-1' };
const status = fc.constantFrom(200, 201, 204, 302, 400, 401, 404, 429, 500, 503);
const retryAfter = fc.oneof(fc.constant(undefined), fc.string());
/** Objects with the names of Aldeamo's, and values of any kind. */
const odd: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.jsonValue(),
    fc.double(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.record(
      Object.fromEntries(
        [
          'status',
          'reason',
          'result',
          'receivedRequests',
          'failedRequests',
          'transactionId',
          '__proto__',
        ].map((name) => [name, tie('value')]),
      ),
      { requiredKeys: [] },
    ),
  ),
})).value;

test('any answer has an outcome whose id and reason are printable', () => {
  const body = fc.oneof(
    odd.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(status, retryAfter, body, (status, retryAfter, body) => {
      const outcome = outcomeOfSend({ status, retryAfter, body }, sent);
      if (outcome.outcome === 'accepted') expect(outcome.message_id).toBe(idSchema.parse(outcome.message_id));
      else expect(outcome.reason).toBe(reasonSchema.parse(outcome.reason));
    }),
    { seed: 20, numRuns: 500 },
  );
});

test('an SMS that was received is accepted, whatever else the answer contains', () => {
  fc.assert(
    fc.property(odd, odd, odd, odd, (reason, status, failedRequests, transactionId) => {
      const entry = { transactionId, reason, status };
      const body = JSON.stringify({ status, reason, result: { receivedRequests: [entry], failedRequests } });
      const outcome = outcomeOfSend({ status: 200, retryAfter: undefined, body }, sent);
      expect(outcome).toEqual({ outcome: 'accepted', message_id: expect.any(String) });
    }),
    { seed: 20, numRuns: 500 },
  );
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
])('given %s, the outcome is rejected', (text) => {
  expect(outcomeOfRefusal(text, text)).toEqual({ outcome: 'rejected', reason: text });
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
])('given %j, whose characters are odd, the outcome is rejected', (text) => {
  expect(outcomeOfRefusal(text, 'why')).toEqual({ outcome: 'rejected', reason: 'why' });
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
  'Mensaje\u00a0inválido',
  'Mensaje inv\ufffdlido',
  'Ruta inv\ufffdlida',
  'Cuenta\u0000bloqueada',
  'N\ufffdmero de caracteres inv\ufffdlido',
  '\ufffd',
  '\ufffd \ufffd \ufffd',
  `${'number 1 '.repeat(20_000)}!`,
  '\ufffd '.repeat(100_000),
  '\ufffd.\ufffda'.repeat(50_000),
  'n\ufffdmero\ufffdi\ufffd-\ufffds.'.repeat(15_000),
  'numero - es - '.repeat(15_000),
  '.'.repeat(200_000),
])('given %.40s, the outcome is not_sent, and another provider may send it', (text) => {
  const started = performance.now();
  expect(outcomeOfRefusal(text, 'why')).toEqual({ outcome: 'not_sent', reason: 'why', no_outage: true });
  expect(performance.now() - started).toBeLessThan(200);
});
