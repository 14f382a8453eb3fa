import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { StoreUnavailable } from '../../src/store/store.ts';
import { body, build, post } from '../fixture.ts';
import { paymentNumber } from '../store/store-contract.ts';

const accept = 'text/csv';
const csv = (query = '') => ({ url: `/payments${query}`, headers: { accept } });
const linesOf = (text: string) => text.split('\r\n').slice(0, -1);

const header =
  'payment_id,created_at,amount,amount_minor,currency,customer_id,client,reference,metadata,notification_service,notification_status,reason,possible_duplicate,encoding,segments,attempts,last_provider,last_outcome,last_reason,next_attempt_at,expires_at,sent_at,delivered_at,updated_at';

/** A server with this many payments. */
async function serving(count: number) {
  const { app, store } = await build();
  await Promise.all(Array.from({ length: count }, (_, n) => store.insert(paymentNumber(n))));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const get = async () => {
    const request = httpRequest({ host: '127.0.0.1', port, path: '/payments', headers: { accept } });
    const [response] = (await once(request.end(), 'response')) as [IncomingMessage];
    return response;
  };
  return { store, get };
}

describe('GET /payments with Accept: text/csv', () => {
  test('given filters, returns all that match, newest first, with names in the first line', async () => {
    const { app, store } = await build();
    for (let n = 0; n < 450; n += 1) await store.insert(paymentNumber(n, { client: n < 5 ? null : 'shop' }));
    const response = await app.inject(csv('?client=shop'));
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': 'attachment; filename="payments.csv"',
      vary: 'accept',
    });
    const [names, ...rows] = linesOf(response.body);
    expect(names).toBe(header);
    const ids = rows.map((row) => row.split(',')[0]);
    expect(ids).toEqual(Array.from({ length: 445 }, (_, n) => paymentNumber(449 - n).payment_id));
  });

  test('writes a payment on a line, with neither text nor phone', async () => {
    const { app } = await build();
    const phone = '+573001234567';
    const given = { ...body, amount: '100.50', phone, reference: 'a,"b"', metadata: { shop: 'Ñ' } };
    const { payment_id, created_at, updated_at, expires_at, sent_at } = (
      await app.inject(post(given))
    ).json();
    const response = await app.inject(csv());
    expect(linesOf(response.body)).toEqual([
      header,
      `${payment_id},${created_at},100.5,10050,COP,123,,"a,""b""","{""shop"":""Ñ""}",Aldeamo,sent,,false,GSM-7,1,1,Aldeamo,accepted,,,${expires_at},${sent_at},,${updated_at}`,
    ]);
    expect(response.body).not.toMatch(/4567|procesado/);
  });

  test.each([
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '＝1+1',
  ])('writes %s as text, which no spreadsheet computes', async (text) => {
    const { app, store } = await build();
    await store.insert(paymentNumber(1, { customer_id: text, reference: text, reason: text }));
    const [, line] = linesOf((await app.inject(csv())).body);
    expect(line?.split(',').filter((value) => value.endsWith(text))).toEqual(Array(3).fill(`'${text}`));
  });

  test.each([
    [' =1+1', " '=1+1"],
    ['x;=1+1;y', "x;'=1+1;y"],
    ['x; +1', "x; '+1"],
    ['a-1', 'a-1'],
    ['x;y', 'x;y'],
  ])('writes %j as %j, since spreadsheets may skip spaces, and separate cells at semicolons', async (text, written) => {
    const { app, store } = await build();
    await store.insert(paymentNumber(1, { customer_id: text, reference: text }));
    const [, line] = linesOf((await app.inject(csv())).body);
    expect(line?.split(',').slice(5, 8)).toEqual([written, '', written]);
  });

  test('given no payments, has the names alone', async () => {
    const { app } = await build();
    expect((await app.inject(csv())).body).toBe(`${header}\r\n`);
  });

  test.each([
    ['text/csv;q=0.5, application/json', false],
    ['application/json', false],
    ['*/*', false],
    ['text/html', false],
    ['text/csv, application/json;q=0.9', true],
    ['text/csv, */*;q=0.1', true],
  ])('given Accept: %s, chooses by its weights', async (weights, isCsv) => {
    const { app } = await build();
    const { headers } = await app.inject({ url: '/payments', headers: { accept: weights } });
    expect(headers['content-type']).toMatch(isCsv ? /^text\/csv/ : /^application\/json/);
  });

  test('given what belongs to pages, responds 400 that names each', async () => {
    const { app } = await build();
    const message = 'must be absent, because a list as CSV has no pages';
    for (const cursor of ['starting_after', 'ending_before']) {
      const response = await app.inject(csv(`?limit=10&${cursor}=pmt_1`));
      expect(response.statusCode).toBe(400);
      expect(response.json().errors).toEqual([
        { path: 'limit', message },
        { path: cursor, message },
      ]);
    }
  });

  test('given a HEAD, reads no list', async () => {
    const { app, store } = await build();
    const list = vi.spyOn(store, 'list');
    await app.ready();
    list.mockClear();
    const response = await app.inject({ ...csv(), method: 'HEAD' });
    expect(response.statusCode).toBe(200);
    expect(list).not.toHaveBeenCalled();
  });

  test('given a store that is unavailable, responds 503', async () => {
    const { app, store } = await build();
    store.list = async () => {
      throw new StoreUnavailable('down');
    };
    const response = await app.inject(csv());
    expect(response.statusCode).toBe(503);
    expect(response.headers['content-type']).toMatch('application/problem+json');
  });

  test('given a store that fails after the first page, cuts the connection', async () => {
    const { store, get } = await serving(500);
    const list = store.list;
    store.list = async (query) => {
      if (query.starting_after !== undefined) throw new StoreUnavailable('down');
      return list(query);
    };
    const response = await get();
    expect(response.statusCode).toBe(200);
    await expect(response.toArray()).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('reads no further than its client does, and ends when that goes away', {
    timeout: 20_000,
  }, async () => {
    const { store, get } = await serving(0);
    const payments = Array.from({ length: 200 }, (_, n) => paymentNumber(n));
    let reads = 0;
    store.list = async () => {
      reads += 1;
      return { payments, has_more: true };
    };
    /** The number of reads once there are no more. */
    const readsAtRest = async () => {
      for (let before = -1; before !== reads; await setTimeout(300)) before = reads;
      return reads;
    };
    const response = await get();
    const first = await readsAtRest();
    for (let taken = 0; taken < 3_000_000; ) taken += ((await once(response, 'data')) as [Buffer])[0].length;
    response.pause();
    const second = await readsAtRest();
    expect(second).toBeGreaterThan(first);
    response.destroy();
    expect(await readsAtRest()).toBeLessThanOrEqual(second + 1);
  });
});
