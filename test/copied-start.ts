import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { onTestFinished } from 'vitest';
import { freePorts } from './free-ports.ts';

const workspaces = ['service-kit', 'payment-service', 'aldeamo-service', 'twilio-service'];

/** A copy of what `npm start` needs, without the developer's own .env and data. The dependencies are those of this repository. */
export async function copyRepository(dotenv?: string | Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'copy-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp('package.json', join(folder, 'package.json'));
  await cp('scripts', join(folder, 'scripts'), { recursive: true });
  for (const workspace of workspaces) {
    await mkdir(join(folder, workspace));
    await cp(`${workspace}/package.json`, join(folder, workspace, 'package.json'));
    await cp(`${workspace}/src`, join(folder, workspace, 'src'), { recursive: true });
  }
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  if (dotenv !== undefined) await writeFile(join(folder, '.env'), dotenv);
  return folder;
}

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface StartOptions {
  /** Undefined takes a port away that is otherwise set. */
  settings?: Record<string, string | undefined>;
  args?: string[];
  cwd?: string;
  /** Arguments of Node.js itself. */
  nodeArgs?: string[];
}

async function portSettings(): Promise<Record<string, string>> {
  const [payment, aldeamo, twilio] = await freePorts(3);
  return {
    PAYMENT_SERVICE_PORT: String(payment),
    ALDEAMO_SERVICE_PORT: String(aldeamo),
    TWILIO_SERVICE_PORT: String(twilio),
  };
}

/** Runs the starter of the copy until it ends by itself, or, once its standard error matches, by SIGTERM. */
export async function startCopy(
  folder: string,
  { settings, args = [], cwd = folder, nodeArgs = [] }: StartOptions = {},
  until?: RegExp,
): Promise<Ended> {
  const env = {
    PATH: process.env.PATH,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
    ...(await portSettings()),
    ...settings,
  };
  return new Promise((end) => {
    const child = execFile(
      process.execPath,
      [...nodeArgs, join(folder, 'scripts/start.js'), ...args],
      { cwd, env, timeout: 50_000 },
      (_error, stdout, stderr) => end({ code: child.exitCode, stdout, stderr }),
    );
    let stderr = '';
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
      if (until?.test(stderr)) child.kill('SIGTERM');
    });
  });
}
