import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { startServices } from './services.ts';
import { type Spread, spreadOf } from './spread.ts';
import { trio } from './systems.ts';

export interface Footprint {
  service: string;
  /** From the start of the process to a 200 of /health/ready, in ms. */
  readyMs: Spread;
  /** Without load, 5 s after the start. */
  residentMb: Spread;
  /** The size of the image without its base; null without a Docker Engine. */
  imageMb: number | null;
}

export async function measureFootprint(): Promise<Footprint[]> {
  const starts: { readyMs: number; residentMb: number }[][] = [];
  for (let round = 0; round < 7; round += 1) {
    await using services = await startServices({ names: trio });
    await delay(5000);
    const usages = await Promise.all(trio.map((name) => services.usage(name)));
    starts.push(
      trio.map((name, index) => ({
        readyMs: services.readyMs(name),
        residentMb: usages[index]?.residentMb as number,
      })),
    );
  }
  return trio.map((service, index) => ({
    service,
    readyMs: spreadOf(starts.map((each) => each[index]?.readyMs as number)),
    residentMb: spreadOf(starts.map((each) => each[index]?.residentMb as number)),
    imageMb: imageMbOf(service),
  }));
}

function imageMbOf(service: string): number | null {
  const docker = (...args: string[]) =>
    execFileSync('docker', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    docker('info');
  } catch {
    return null;
  }
  const bytes = (image: string) => Number(docker('image', 'inspect', '--format', '{{.Size}}', image));
  docker('build', '--quiet', '--tag', `bench-${service}`, '--build-arg', `SERVICE=${service}`, '.');
  const added = bytes(`bench-${service}`) - bytes('node:26-slim');
  docker('image', 'rm', `bench-${service}`);
  return added / 2 ** 20;
}
