import { spawn, spawnSync } from 'node:child_process';
import { glob, readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { expect } from 'vitest';

/** What can be tried out in the documents: commands, programs, and what they print. A block such as `sh example` is not run. */

interface Block {
  language: string;
  isExample: boolean;
  text: string;
}

export interface Step {
  language: 'sh' | Language;
  /** One command, or one program. */
  text: string;
  /** Compares its output with what the page shows, where it does; … stands for any value. */
  compare?: (output: string) => void;
}

export interface Page {
  path: string;
  markdown: string;
  /** The `.env` for the steps of this page. */
  dotenv: string | undefined;
  steps: Step[];
}

export const startCommands = { processes: 'npm start', containers: 'docker compose up --build' };

/** Commands of npm and Docker set up: readme.test.ts or .ci/run runs them. */
export const isSetUp = ({ language, text }: Step): boolean =>
  language === 'sh' && /^(npm|docker) /.test(text);

const programs = { js: ['node', '--input-type=module', '-'], python: ['python3', '-'], php: ['php'] };
type Language = keyof typeof programs;
const isProgram = (language: string): language is Language => language in programs;

/** The languages whose interpreter this machine has not. */
const absent = new Set<Step['language']>(
  Object.entries(programs).flatMap(([language, [command = '']]) =>
    isProgram(language) && spawnSync(command, ['--version']).status !== 0 ? [language] : [],
  ),
);
for (const language of absent)
  if (process.env[`REQUIRE_${language.toUpperCase()}`] === '1')
    throw new Error(`REQUIRE_${language.toUpperCase()}=1, but there is no ${language}`);

/** The step cannot be run here: its interpreter is missing. */
export const isMissing = ({ language }: Step): boolean => absent.has(language);

/** Languages of blocks that are neither run nor printed. */
const shown = ['', 'mermaid', 'yaml'];

/** Reads the documents in English, README.md first, in the order in which their steps are followed. */
export async function readPages(): Promise<Page[]> {
  const others = await Array.fromAsync(glob(['CONTRIBUTING.md', 'SECURITY.md', 'docs/**/*.md']));
  return Promise.all(['README.md', ...others.toSorted()].map(readPage));
}

export async function readPage(path: string): Promise<Page> {
  const markdown = await readFile(path, 'utf8');
  const blocks = blocksOf(markdown).filter(({ isExample }) => !isExample);
  const dotenv = blocks.find(({ language }) => language === 'env')?.text;
  return { path, markdown, dotenv, steps: stepsOf(path, blocks) };
}

export const blocksOf = (markdown: string): Block[] =>
  [...markdown.matchAll(/^( *)```(\w*)( example)?\n(.*?)^\1```$/gms)].map(
    ([, indent = '', language = '', example, text = '']) => ({
      language,
      isExample: example !== undefined,
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );

/** A `json` or `text` block is the output of the step before it. */
function stepsOf(path: string, blocks: Block[]): Step[] {
  const steps: Step[] = [];
  for (const { language, text } of blocks) {
    if (language === 'sh')
      steps.push(
        ...text
          .trim()
          .split(/(?<!\\)\n/)
          .map((command) => ({ language, text: command }) as const),
      );
    else if (isProgram(language)) steps.push({ language, text });
    else if (language === 'json')
      Object.assign(steps.at(-1) as Step, { compare: compareJson(JSON.parse(text, anyWhereEllipsis)) });
    else if (language === 'text') Object.assign(steps.at(-1) as Step, { compare: compareText(text) });
    else if (language !== 'env' && !shown.includes(language))
      throw new Error(`${path} has a block of ${language}, which no test runs: mark it as an example`);
  }
  return steps;
}

function anyWhereEllipsis(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.includes('…') ? expect.anything() : value;
}

const compareJson = (expected: unknown) => (output: string) => expect(JSON.parse(output)).toEqual(expected);

export const compareText = (expected: string) => (output: string) =>
  expect(output).toMatch(new RegExp(`^${expected.split('…').map(RegExp.escape).join('.*')}$`));

/** Runs the step, with its addresses replaced, and compares what it prints with the page. */
export async function runStep(
  { language, text, compare }: Step,
  ports: Record<number, number>,
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<void> {
  const local = text.replace(/localhost:(\d+)/g, (_, port) => `localhost:${ports[port]}`);
  const [command = '', ...words] = language === 'sh' ? ['bash', '-c', local] : programs[language];
  const child = spawn(command, words, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {}); // a step may end without reading
  child.stdin.end(language === 'sh' ? '' : local);
  const ended = new Promise((resolve) => child.once('close', resolve));
  const [code, output, errors] = await Promise.all([ended, textOf(child.stdout), textOf(child.stderr)]);
  if (code !== 0) throw new Error(`${text}\nexited with ${code}: ${errors}`);
  compare?.(output);
}
