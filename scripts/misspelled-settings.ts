import { namesInLowerCase } from 'service-kit/http/configuration.ts';
import { settingNames } from './documented-settings.ts';
import { setByStarter } from './settings.ts';

/** A line for each name of `.env` that has no effect: a setting misspelled, or one that the starter sets by itself. */
export const warnOfNames = (names: string[]): string[] => names.flatMap(warnOfName);

function warnOfName(name: string): string[] {
  const instead = setByStarter[name];
  if (instead) return [`.env sets ${name}, which has no effect with npm start: set ${instead}`];
  if (settingNames.includes(name) || namesInLowerCase.includes(name)) return [];
  const ofFile = name.replace(/_FILE$/, '');
  if (ofFile !== name && settingNames.includes(ofFile))
    return [`.env sets ${name}, but only secrets are read from files: set ${ofFile}`];
  const meant = similarSetting(name.toUpperCase().replaceAll('-', '_'));
  if (meant) return [`.env sets ${name}, which is no setting: did you mean ${meant}?`];
  return isOfFamily(name) ? [`.env sets ${name}, which is no setting: .env.example has all of them`] : [];
}

/** The nearest setting, if few letters differ, or else one that begins with the name. */
export function similarSetting(given: string): string | undefined {
  const name = given.toUpperCase().replaceAll('-', '_');
  const nearest = settingNames
    .map((setting) => ({ setting, distance: editDistance(name, setting) }))
    .reduce((best, each) => (each.distance < best.distance ? each : best));
  if (nearest.distance <= Math.max(1, Math.floor(name.length / 4))) return nearest.setting;
  return name.includes('_') ? settingNames.find((setting) => setting.startsWith(name)) : undefined;
}

/** Whether it begins as several settings do, such as with TWILIO_; one alone, such as of LOG_LEVEL, may be chance. */
function isOfFamily(name: string): boolean {
  const [family] = name.split('_');
  return settingNames.filter((setting) => setting.startsWith(`${family}_`)).length >= 3;
}

/** How many letters have to be inserted, deleted or replaced to make one of the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let line = 1; line <= from.length; line += 1) {
    const above = row;
    row = [line];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (above[column - 1] ?? 0) + (from[line - 1] === to[column - 1] ? 0 : 1);
      row.push(Math.min(replaced, (above[column] ?? 0) + 1, (row[column - 1] ?? 0) + 1));
    }
  }
  return row.at(-1) ?? 0;
}
