import { spawn } from 'node:child_process';
import process from 'node:process';

const openers: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', '""'],
};

/** Opens the page in the browser of a person who sits at this machine; does nothing where there is none. */
export function openPage(url: string, env: NodeJS.ProcessEnv = process.env): void {
  if (env.SSH_CONNECTION || env.SSH_TTY) return;
  const hasDisplay = env.DISPLAY || env.WAYLAND_DISPLAY;
  const [command, ...args] = openers[process.platform] ?? (hasDisplay ? ['xdg-open'] : []);
  if (!command) return;
  // A browser outlives the demo, in a process group of its own, and a missing one is no fault of it.
  spawn(command, [...args, url], { stdio: 'ignore', detached: true, env })
    .on('error', () => {})
    .unref();
}
