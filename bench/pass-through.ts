import { randomUUID } from 'node:crypto';
import process from 'node:process';
import Fastify from 'fastify';
import { Registry } from 'prom-client';
import { collectProcessMetrics } from 'service-kit/telemetry/metrics.ts';
import { Pool } from 'undici';

/**
 * The ceiling for payment-service: Fastify and undici alone, which request the same SMS from the same aldeamo-service, without
 * validation, store, access control or logs. GET /metrics reports the resources of the process, as in the services.
 */
const pool = new Pool(process.env.ALDEAMO_SERVICE_URL as string, { connections: 80 });
const metrics = new Registry();
collectProcessMetrics(metrics);
const server = Fastify();

server.post<{ Body: { customer_id: string; message: string } }>('/payments', async (request, reply) => {
  const { customer_id, message } = request.body;
  const { statusCode, body } = await pool.request({
    method: 'POST',
    path: '/notify',
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
    body: JSON.stringify({ customer_id, message }),
  });
  const answer = await body.text();
  return reply
    .code(statusCode === 200 ? 201 : statusCode)
    .type('application/json')
    .send(answer);
});
server.get('/health/ready', async () => ({ status: 'ready' }));
server.get('/metrics', async (_request, reply) =>
  reply.type(metrics.contentType).send(await metrics.metrics()),
);

await server.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
