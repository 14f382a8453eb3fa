import { describe, expect, onTestFinished, test } from 'vitest';
import { aldeamoPackage, startAldeamoUpstream } from '../../test/doubles/aldeamo-upstream.ts';

const right = {
  country: '57',
  message: 'Pago recibido',
  encoding: 'GSM7',
  messageFormat: 1,
  addresseeList: [{ mobile: '3001234567', correlationLabel: 'ntf_1' }],
};

const packageReport = '/SmsiWS/packageReportPost';

async function post(body: unknown, { path = '/SmsiWS/smsSendPost/', type = 'application/json' } = {}) {
  const upstream = await startAldeamoUpstream();
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  const authorization = `Basic ${btoa(`${upstream.username}:${upstream.password}`)}`;
  const response = await fetch(`${upstream.url}${path}`, {
    method: 'POST',
    headers: { authorization, 'content-type': type },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.text(), ...upstream };
}

describe('the test double of Aldeamo', () => {
  test('accepts a correct send', async () => {
    const { status, body, violations, ledger } = await post(right);
    expect(violations).toEqual([]);
    expect(status).toBe(200);
    expect(ledger).toMatchObject([{ to: '+573001234567', correlationLabel: 'ntf_1' }]);
    expect(JSON.parse(body).result.receivedRequests).toHaveLength(1);
  });

  test.each<[unknown, object?]>([
    ['{'],
    [{ ...right, country: '+57' }],
    [{ ...right, country: 57 }],
    [{ ...right, country: undefined }],
    [{ ...right, message: '' }],
    [{ ...right, encoding: 'UTF-8' }],
    [{ ...right, message: 'éxito con ó', encoding: 'UTF-8', messageFormat: 0 }],
    [{ ...right, messageFormat: 2 }],
    [{ ...right, message: 'éxito con ó' }],
    [{ ...right, messageFormat: '1' }],
    [{ ...right, dateToSend: '2026-01-01 00:00:00' }],
    [{ ...right, addresseeList: [] }],
    [{ ...right, addresseeList: [...right.addresseeList, ...right.addresseeList] }],
    [{ ...right, addresseeList: [{ mobile: '3001234567' }] }],
    [{ ...right, addresseeList: [{ mobile: '+573001234567', correlationLabel: 'a' }] }],
    [right, { path: '/SmsiWS/smsSendPost' }],
    [right, { type: 'text/plain' }],
    ...[{}, { land: 57 }, { land: '+57' }, { land: '57', country: '57' }, '{'].map(
      (body) => [body, { path: packageReport }] as [unknown, object],
    ),
    [{ land: '57' }, { path: packageReport, type: 'text/plain' }],
  ])('refuses %j %j', async (body, how) => {
    const { status, violations, ledger } = await post(body, how);
    expect(status).toBe(400);
    expect(violations).not.toEqual([]);
    expect(ledger).toEqual([]);
  });

  test('uses up its packages one SMS at a time, reports them, and refuses sends when they are used up', async () => {
    const upstream = await startAldeamoUpstream();
    onTestFinished(() => upstream[Symbol.asyncDispose]());
    upstream.packages = [aldeamoPackage(1), { ...aldeamoPackage(5), state: 'DISABLED' }];
    const authorization = `Basic ${btoa(`${upstream.username}:${upstream.password}`)}`;
    const ask = async (path: string, body: object) => {
      const headers = { authorization, 'content-type': 'application/json' };
      const response = await fetch(`${upstream.url}${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return (await response.json()) as { result: unknown };
    };
    expect(await ask('/SmsiWS/smsSendPost/', right)).toMatchObject({
      result: { receivedRequests: [{ status: 1 }] },
    });
    expect((await ask(packageReport, { land: '57' })).result).toMatchObject([
      { available: 0, state: 'FINISHED', totalSpent: 1 },
      { available: 5, state: 'DISABLED' },
    ]);
    expect(await ask('/SmsiWS/smsSendPost/', right)).toMatchObject({
      result: { receivedRequests: [{ status: -5, reason: 'Paquete sin saldo' }] },
    });
    expect(upstream).toMatchObject({ violations: [], sends: 2, ledger: [{}] });
  });

  test('reports a request without authorization', async () => {
    const upstream = await startAldeamoUpstream();
    onTestFinished(() => upstream[Symbol.asyncDispose]());
    expect((await fetch(upstream.url)).status).toBe(401);
    expect(upstream.violations).toHaveLength(1);
  });
});
