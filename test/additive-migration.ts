const additive = [
  /^CREATE TABLE \w+ \(/i,
  /^CREATE INDEX \w+ ON /i,
  /^ALTER TABLE \w+ SET \(/i,
  /^INSERT INTO \w+ /i,
  // A column that older replicas do not write is null, or has its default.
  /^ALTER TABLE \w+ ADD COLUMN \w+ (?!.*\b(UNIQUE|CHECK|REFERENCES|PRIMARY)\b)(?!(?!.*\bDEFAULT\b).*\bNOT NULL\b)[^,]+$/i,
];

/** The statements of a PostgreSQL migration that an older replica on the same tables may not bear. */
export function statementsThatDoNotOnlyAdd(migration: string): string[] {
  return migration
    .replace(/--.*$/gm, '')
    .split(';')
    .map((statement) => statement.replace(/\s+/g, ' ').trim())
    .filter((statement) => statement !== '' && !additive.some((pattern) => pattern.test(statement)));
}

/** The numbers of the migrations that do more than add, though the release lets older replicas run beside it. */
export function migrationsThatStopOthers({
  migrations,
  runsBeside,
}: {
  migrations: readonly string[];
  runsBeside: number;
}): number[] {
  return migrations
    .map((text, index) => ({ text, number: index + 1 }))
    .filter(({ number }) => number > 1 && number > runsBeside)
    .filter(({ text }) => statementsThatDoNotOnlyAdd(text).length > 0)
    .map(({ number }) => number);
}
