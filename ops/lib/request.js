/** For ops/each: sends one request to the service of this container, with its key, and prints the answer. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

const timeoutMs = 10_000;

const [method, path] = process.argv.slice(1);
const { env } = process;
const secret = (name) =>
  env[name] || (env[`${name}_FILE`] ? readFileSync(env[`${name}_FILE`], 'utf8').trim() : '');
// The first of several, without the name that it may have.
const key = secret(path === '/health/upstream' ? 'SERVICE_TOKEN' : 'ADMIN_API_KEY')
  .split(/[,\n]/)[0]
  .split(':')
  .at(-1)
  .trim();
try {
  const answer = await fetch(`http://127.0.0.1:${env.PORT}${path}`, {
    method,
    headers: key ? { authorization: `Bearer ${key}` } : {},
    signal: AbortSignal.timeout(timeoutMs),
  });
  process.stdout.write(`${hostname()} ${answer.status} ${await answer.text()}\n`);
} catch (error) {
  process.stderr.write(`${hostname()} does not answer (${error.cause?.code ?? error.name})\n`);
  process.exitCode = 1;
}
