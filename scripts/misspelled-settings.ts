import { setByStarter, settingNames } from './settings.ts';

/** A line for each name of `.env` that has no effect: a setting misspelled, or one that the starter sets by itself. */
export function warnOfNames(names: string[]): string[] {
  return names.flatMap((name) => {
    const instead = setByStarter[name];
    if (instead) return [`.env sets ${name}, which has no effect with npm start: set ${instead}`];
    const meant = settingNames.includes(name) ? undefined : similarSetting(name);
    return meant ? [`.env sets ${name}, which is no setting: did you mean ${meant}?`] : [];
  });
}

/** The nearest setting, if few letters differ, or if a part such as _MS is missing or too much. */
function similarSetting(name: string): string | undefined {
  const upper = name.toUpperCase().replaceAll('-', '_');
  const nearest = settingNames
    .map((setting) => ({ setting, distance: editDistance(upper, setting) }))
    .reduce((best, each) => (each.distance < best.distance ? each : best));
  return nearest.distance <= Math.max(1, Math.floor(upper.length / 5)) ? nearest.setting : undefined;
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
