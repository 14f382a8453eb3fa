import { z } from 'zod';

type Issue = z.core.$ZodRawIssue;
type IssueOf<Code extends Issue['code']> = Extract<Issue, { code: Code }>;
type Bound = IssueOf<'too_big' | 'too_small'>;

/** What an issue says without a message of its schema's own: what is expected, and never the value. */
export function sentenceOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return sentenceOfType(issue);
    case 'too_big':
      return sentenceOfBound(issue, issue.maximum, 'max');
    case 'too_small':
      return sentenceOfBound(issue, issue.minimum, 'min');
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return sentenceOfFormat(issue);
    case 'invalid_value':
      return issue.values.length === 1
        ? `must be ${String(issue.values[0])}`
        : `must be one of ${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return 'is not a known field';
    case 'invalid_union':
      return sentenceOfUnion(issue);
    case 'invalid_key':
      return `has a name that ${sentenceOfParts(issue.issues)}`;
    case 'invalid_element':
      return `has an element that ${sentenceOfParts(issue.issues)}`;
    case 'custom':
      return 'must meet the rules of this field';
    default:
      return issue satisfies never; // a code that zod adds has no sentence until it has one here
  }
}

z.config({ customError: sentenceOf });

const types: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  map: 'a map',
  array: 'an array',
  tuple: 'an array',
  set: 'a set',
  date: 'a date',
  file: 'a file',
  null: 'null',
  nan: 'NaN',
  symbol: 'a symbol',
  function: 'a function',
};

function sentenceOfType({ expected, input }: IssueOf<'invalid_type'>): string {
  if (expected === 'never' || expected === 'undefined' || expected === 'void') return 'must be absent';
  if (input === undefined) return 'is required';
  if (expected === 'string' && Array.isArray(input)) return 'must be a single string';
  if (expected === 'number' && typeof input === 'number') return 'must be a finite number';
  return `must be ${types[expected] ?? `of type ${expected}`}`;
}

const units: Record<string, string> = {
  string: 'characters',
  array: 'elements',
  set: 'elements',
  map: 'elements',
  object: 'fields',
  file: 'bytes',
};

function sentenceOfBound(issue: Bound, bound: number | bigint, end: 'max' | 'min'): string {
  if (issue.origin === 'date') return sentenceOfDate(issue, bound, end);
  const [taken, notTaken] = end === 'max' ? ['at most', 'less than'] : ['at least', 'more than'];
  const amount = `${issue.exact ? 'exactly' : issue.inclusive === false ? notTaken : taken} ${bound}`;
  const unit = units[issue.origin];
  if (unit === undefined) return `must be ${amount}`;
  return `must have ${amount} ${Number(bound) === 1 ? unit.slice(0, -1) : unit}`;
}

function sentenceOfDate({ inclusive }: Bound, bound: number | bigint, end: 'max' | 'min'): string {
  const [taken, notTaken] = end === 'max' ? ['at the latest', 'before'] : ['at the earliest', 'after'];
  return `must be ${inclusive === false ? notTaken : taken} ${new Date(Number(bound)).toISOString()}`;
}

const formats: Record<string, string> = {
  email: 'an e-mail address',
  url: 'a URL',
  uuid: 'a UUID',
  guid: 'a UUID',
  datetime: 'a time such as 2026-01-31T12:00:00Z (RFC 3339)',
  date: 'a date such as 2026-01-31',
  time: 'a time of day such as 12:00:00',
  duration: 'a duration such as PT1H (ISO 8601)',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  e164: 'an E.164 number such as +573001234567',
  json_string: 'JSON',
  lowercase: 'in lower case',
  uppercase: 'in upper case',
};

function sentenceOfFormat(issue: IssueOf<'invalid_format'>): string {
  const { format, pattern, prefix, suffix, includes } = issue as typeof issue & Record<string, unknown>;
  if (format === 'starts_with') return `must begin with ${prefix}`;
  if (format === 'ends_with') return `must end with ${suffix}`;
  if (format === 'includes') return `must contain ${includes}`;
  if (format === 'regex') return `must match ${pattern}`;
  return `must be ${formats[format] ?? `of the format ${format}`}`;
}

function sentenceOfUnion(issue: IssueOf<'invalid_union'>): string {
  if (issue.inclusive === false) return 'must match exactly one of its forms';
  if (issue.discriminator !== undefined) return `must be one of ${issue.options?.map(String).join(', ')}`;
  return [...new Set(issue.errors.map(sentenceOfParts))].join(', or ');
}

/** Of zod's issues within an issue, which have their messages. */
const sentenceOfParts = (issues: readonly { path: PropertyKey[]; message: string }[]): string =>
  issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(' ')).join(', and ');
