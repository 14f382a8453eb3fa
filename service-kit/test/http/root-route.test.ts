import { expect, test } from 'vitest';
import { buildTestServer } from './fixture.ts';

test.each([
  ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
  ['curl', '*/*', false],
  ['nothing', undefined, false],
  ['a client of the API', 'application/json', false],
  ['one who likes both', 'application/json, text/html', false],
  ['one who prefers JSON', 'text/html;q=0.5, application/json', false],
  ['one who prefers HTML', 'text/html, application/json;q=0.9', true],
  ['one who wants no HTML', 'text/html;q=0, */*', false],
  ['one who prefers something else to HTML', 'text/html;q=0.5, */*', false],
  ['HTML or anything', 'Text/HTML;level=1, */*', true],
])('GET / with an Accept for %s', async (_name, accept, isPage) => {
  const { server } = await buildTestServer({
    page: (reply) => reply.type('text/html; charset=utf-8').send('<!doctype html>'),
  });
  const response = await server.inject({ url: '/', headers: accept ? { accept } : {} });
  expect(response.statusCode).toBe(200);
  expect(response.headers.vary).toBe('accept');
  if (isPage) expect(response.body).toBe('<!doctype html>');
  else expect(response.json()).toEqual({ message: 'Servicio de prueba', status: 'online' });
});
