import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { serviceNames } from './trio.ts';

/** Whether the history of this clone has the commit: that of a shallow one has not. */
export function hasCommit(commit: string): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${commit}^{commit}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** An earlier release in a folder of its own, with the packages of this one. */
export function extractRelease(commit: string): Disposable & { folder: string } {
  const folder = mkdtempSync(join(tmpdir(), `release-${commit}-`));
  const archive = execFileSync('git', ['archive', commit], { maxBuffer: 2 ** 28 });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  mkdirSync(join(folder, 'node_modules'));
  const ours: string[] = ['service-kit', ...serviceNames];
  for (const name of readdirSync('node_modules').filter((name) => !name.startsWith('.')))
    symlinkSync(
      resolve(ours.includes(name) ? folder : 'node_modules', name),
      join(folder, 'node_modules', name),
    );
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}
