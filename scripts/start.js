import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/**
 * `npm start`. In plain JavaScript that an old Node.js runs, too, so that a Node.js or an installation that is not up to it is
 * answered with what to do.
 *
 * The npm script uses `exec`, because a shell between npm and this process would be killed by Ctrl-C, with exit code 130. The shell
 * of Windows has no such command, and finds exec.cmd.
 */

const workspaces = ['service-kit', 'payment-service', 'aldeamo-service', 'twilio-service'];
const inRepository = (path) => new URL(`../${path}`, import.meta.url);
const readJson = (path) => JSON.parse(readFileSync(inRepository(path), 'utf8'));
const major = Number(readJson('package.json').engines.node.replace('>=', ''));

/** A package that is missing, or of another version, as after an update of the repository without npm ci. */
function findOutdated() {
  for (const workspace of workspaces) {
    const wanted = Object.entries(readJson(`${workspace}/package.json`).dependencies);
    const outdated = wanted.find(([name, version]) => installedVersion(workspace, name) !== version);
    if (outdated) return outdated.join(' ');
  }
  return undefined;
}

function installedVersion(workspace, name) {
  const paths = [`${workspace}/node_modules/${name}`, name].map(
    (path) => `node_modules/${path}/package.json`,
  );
  const path = paths.find((each) => existsSync(inRepository(each)));
  return path && readJson(path).version;
}

function findObstacle() {
  const outdated = findOutdated();
  if (outdated) return `The dependencies are not installed: ${outdated} is missing. Run: npm ci`;
  if (Number.parseInt(process.versions.node, 10) >= major) return undefined;
  const remedy = existsSync(inRepository('node_modules/.bin/node'))
    ? 'npm ci has installed it. Run: npm start'
    : `Run: npm ci --include=optional, or install it from https://nodejs.org`;
  return `Node.js ${major} is needed, and this is ${process.versions.node}. ${remedy}`;
}

function refuse(obstacle) {
  process.stderr.write(`${obstacle}\n`);
  process.exitCode = 1;
}

/** Half a second of each start but the first is saved by what V8 made of the code. */
function cacheCompiled() {
  if (process.env.NODE_COMPILE_CACHE) return;
  process.env.NODE_COMPILE_CACHE = fileURLToPath(inRepository('node_modules/.cache/compiled')); // for the services
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE);
}

const obstacle = findObstacle();
if (obstacle) refuse(obstacle);
else {
  cacheCompiled();
  import('./start.ts').catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    refuse(`The dependencies are not complete: ${error.message}. Run: npm ci`);
  });
}
