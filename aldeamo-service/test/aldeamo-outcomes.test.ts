import fc from 'fast-check';
import { idSchema } from 'service-kit/contract/notification.ts';
import { expect, test } from 'vitest';
import { readSend } from '../src/aldeamo-outcomes.ts';

const label = 'pmt_1-1';
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

/** Texts as Aldeamo may write them, with a phone and a message within. */
const text = fc
  .tuple(
    fc.constantFrom(
      'Número',
      'Paquete sin saldo',
      'Ruta no configurada',
      'bloqueado',
      'inválido',
      'Error',
      '',
    ),
    fc.constantFrom('3001234567', '+573001234567', 'Pago recibido', ''),
    fc.constantFrom('inválido', 'bloqueado', 'vencido', 'no configurada', ''),
  )
  .map((words) => words.join(' '));
const number = fc.oneof(
  fc.constantFrom(1, -1, -2, -6, 0, 2, '1', '-1', '-6', null, undefined, '', 'OK', true, {}),
  fc.integer(),
  fc.constantFrom(3001234567, '3001234567', -573001234567, '-573001234567'),
);
const entry = fc.record(
  { status: number, reason: text, transactionId: odd, mobile: fc.constant('3001234567') },
  { requiredKeys: [] },
);
const likely = fc.record(
  {
    status: number,
    reason: text,
    result: fc.record(
      {
        receivedRequests: fc.array(entry, { maxLength: 2 }),
        failedRequests: fc.array(entry, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
const answer = fc.record({
  status,
  retryAfter,
  body: fc.oneof(
    odd.map((value) => JSON.stringify(value)),
    likely.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary' }),
  ),
});

const codes =
  /^(?:phone_invalid|blocked|opted_out|credentials|balance|route_not_configured|account_blocked|refused|throttled|unreadable_answer|http_\d{3}|aldeamo_-?\d{1,4})$/;

test('any answer has an outcome with a printable id or with one of our codes as its reason', () => {
  fc.assert(
    fc.property(answer, (answer) => {
      const { outcome } = readSend(answer, label);
      if (outcome.outcome === 'accepted') expect(outcome.message_id).toBe(idSchema.parse(outcome.message_id));
      else expect(outcome.reason).toMatch(codes);
    }),
    { seed: 20, numRuns: 3000 },
  );
});

test('no phone and no part of a message is in what is read of a refusal', () => {
  fc.assert(
    fc.property(answer, (answer) => {
      const { outcome } = readSend(answer, label);
      if (outcome.outcome !== 'accepted') expect(JSON.stringify(outcome)).not.toMatch(/300|Pago|recib/);
    }),
    { seed: 20, numRuns: 3000 },
  );
});

test('an SMS is accepted only if its entry is received with the status 1 or none, and the whole is not negative', () => {
  fc.assert(
    fc.property(number, number, text, odd, (whole, status, reason, failedRequests) => {
      const entry = { transactionId: 7, status, reason };
      const body = JSON.stringify({
        status: whole,
        reason,
        result: { receivedRequests: [entry], failedRequests },
      });
      const { outcome } = readSend({ status: 200, retryAfter: undefined, body }, label);
      const isReceived = [1, '1', null, undefined, ''].includes(status as never);
      const isNegative = (typeof whole === 'number' || typeof whole === 'string') && Number(whole) < 0;
      if (isReceived && !isNegative) expect(outcome).toEqual({ outcome: 'accepted', message_id: '7' });
      else expect(outcome.outcome).not.toBe('accepted');
    }),
    { seed: 20, numRuns: 3000 },
  );
});
