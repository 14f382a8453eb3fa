import type { EnvFile } from 'service-kit/http/env-file.ts';
import { settingNames } from './documented-settings.ts';
import { similarSetting, warnOfNames } from './misspelled-settings.ts';

/** A line for each part of `.env` that is not read as it was meant. None has a value, nor what may be one. */
export function warnOfEnvFile({ assignments, ignored }: EnvFile): string[] {
  const names = [...new Set(assignments.map(({ name }) => name))];
  return [
    ...ignored.map(warnOfLine),
    ...assignments.filter(({ name, isOpen }) => isOpen && settingNames.includes(name)).map(warnOfQuote),
    ...assignments.filter(({ name, isCut }) => isCut && settingNames.includes(name)).map(warnOfCut),
    ...names.flatMap((name) => warnOfRepetition(name, assignments)),
    ...warnOfNames(names),
  ];
}

/** The name is the setting's own, because a word of the line may be a secret. It may be behind another word, such as `set`. */
function warnOfLine({ line, words }: EnvFile['ignored'][number]): string {
  const meant = words
    .slice(0, 2)
    .map(similarSetting)
    .find((name) => name !== undefined);
  const remedy = meant ? `did you mean ${meant}=…?` : 'a comment begins with #';
  return `.env, line ${line}, is not NAME=value and has no effect: ${remedy}`;
}

const warnOfQuote = ({ name, line }: EnvFile['assignments'][number]) =>
  `.env, line ${line}, opens a quotation mark for ${name} and does not close it: close it on this line, or remove it`;

const warnOfCut = ({ name, line }: EnvFile['assignments'][number]) =>
  `.env, line ${line}, has a value of ${name} that is cut at a # or a quotation mark: put it into quotation marks of another kind`;

function warnOfRepetition(name: string, assignments: EnvFile['assignments']): string[] {
  const lines = assignments.filter((each) => each.name === name).map(({ line }) => line);
  if (lines.length === 1 || !settingNames.includes(name)) return [];
  return [`.env sets ${name} in the lines ${lines.join(', ')}, and the last one counts: remove the others`];
}
