import { z } from 'zod';
import { reachableUrl } from './reachable-url.ts';
import { fileSetting, readSecretFiles } from './secret-files.ts';
import './validation-messages.ts';

/**
 * The settings of a schema carry their documentation: `description` is a sentence for operators, `form` what a value looks like.
 * One that is `secret` may come from a file; see secret-files.ts.
 * `npm run docs:configuration` writes docs/configuration.md and .env.example from them.
 */

/** Durations are whole milliseconds; a timer of Node.js holds at most 2^31-1 of them. */
export const milliseconds = ({ min = 1 }: { min?: number } = {}) => wholeNumber({ min, max: 2_147_483_647 });

export const wholeNumber = ({ min, max }: { min: number; max: number }) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))
    .meta({ form: `a whole number from ${min} to ${max}` });

/** A share of 1, such as 0.5. */
export const share = () =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number from 0 to 1')
    .transform(Number)
    .pipe(z.number().max(1, 'must be a number from 0 to 1'))
    .meta({ form: 'a number from 0 to 1' });

export const flag = () =>
  z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true');

/** The URL of a service: a scheme, a host, perhaps a port. */
export const serviceUrl = () =>
  z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL', abort: true })
    .refine((url) => new URL(url).href === `${new URL(url).origin}/`, 'must have no path')
    .meta({ form: 'an http:// or https:// URL without a path' });

/** The URL of another service of this machine, whose default follows HOST; see followHost. */
export const neighbourUrl = () => serviceUrl().default('');

/** Sets the URLs that are not set to those of services that listen on the same HOST, at these ports. */
export function followHost<Settings extends { HOST: string }>(
  settings: Settings,
  ports: { [Name in keyof Settings]?: number },
): Settings {
  const urls = Object.entries<number>(ports as Record<string, number>).map(([name, port]) => [
    name,
    settings[name as keyof Settings] || reachableUrl(settings.HOST, port),
  ]);
  return { ...settings, ...Object.fromEntries(urls) };
}

/** The environment variables of every service. */
export const serviceSettings = ({ port }: { port: number }) => ({
  HOST: z
    .string()
    .trim()
    .refine((host) => reachableUrl(host, 80), { error: 'must be an address or a host name', abort: true })
    .meta({ form: 'an address or a host name' })
    .default('127.0.0.1')
    .describe(
      'The address to listen on, at which the services of one machine also find each other. In the containers it is 0.0.0.0.',
    ),
  PORT: wholeNumber({ min: 0, max: 65_535 })
    .default(port)
    .describe('The port of a service that is started alone. 0 selects any free port.'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('The least severe level that is logged.'),
  STOP_TIMEOUT_MS: milliseconds()
    .default(10_000)
    .describe(
      'How long a stop may take. After that the process exits with 1, even if requests are still being handled.',
    ),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .meta({ form: 'an http:// or https:// URL' })
    .optional()
    .describe(
      'The OpenTelemetry collector that receives the spans (OTLP over HTTP), such as http://localhost:4318. Without it no spans are exported.',
    ),
});

/** The issues of missing settings, for a check over several of them. */
export const missing = (names: string[], why: string) =>
  names.map((name) => ({ code: 'custom' as const, path: [name], message: why, input: undefined }));

export interface ServiceSettings {
  HOST: string;
  PORT: number;
  LOG_LEVEL: string;
  STOP_TIMEOUT_MS: number;
  OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
}

/** The message names every wrong setting, and no values, because some are secrets. */
export class ConfigurationError extends Error {
  /** The wrong settings one by one, if it is not the file that cannot be read. */
  readonly issues: { name: string; message: string }[];

  constructor(message: string, issues: { name: string; message: string }[] = []) {
    super(message);
    this.issues = issues;
  }
}

/** Settings that are also read by these names, first, as curl and Node.js do. */
export const namesInLowerCase = ['https_proxy', 'no_proxy'];

/**
 * Reads the configuration from environment variables, and secrets also from the files that their `_FILE` variables name. An empty
 * one counts as not set, because Compose passes those that are not set as empty.
 *
 * @throws ConfigurationError
 */
export function readConfiguration<Schema extends z.ZodType>(
  schema: Schema,
  env: Record<string, string | undefined>,
): z.output<Schema> {
  const lower = namesInLowerCase.map((name) => [name.toUpperCase(), env[name] || env[name.toUpperCase()]]);
  const given = Object.fromEntries([...Object.entries(env), ...lower].filter(([, value]) => value));
  const { values, faults } = readSecretFiles(schema, given);
  const set = { ...given, ...values };
  const result = schema.safeParse(set);
  if (result.success && faults.length === 0) return result.data;
  const unread = new Set(faults.map(({ secret }) => secret));
  const wrong = result.error ? namesNone(unread, result.error.issues) : [];
  const found = [...wrong, ...issuesOfTheRest(schema, set, [...wrong.map(nameOf), ...unread])];
  const issues = [
    ...faults.map(({ secret, fault }) => ({ name: fileSetting(secret), message: fault })),
    ...found.map((issue) => ({ name: settingOf(issue, values), message: issue.message })),
  ];
  const lines = issues.map(({ name, message }) => `  ${name}: ${message}`);
  throw new ConfigurationError(`The configuration is invalid:\n${lines.join('\n')}`, issues);
}

const nameOf = ({ path }: z.core.$ZodIssue) => String(path[0]);

/** The variable to correct: that of the file if the value came from one. */
const settingOf = ({ path }: z.core.$ZodIssue, ofFiles: Record<string, string>) =>
  path[0] !== undefined && path[0] in ofFiles ? fileSetting(String(path[0])) : path.join('.');

/** Zod skips checks over several settings while one of them is wrong. Here they are made without the wrong ones. */
function issuesOfTheRest(schema: z.ZodType, set: Record<string, unknown>, names: string[]) {
  const wrong = new Set(names);
  const right = Object.fromEntries(Object.entries(set).filter(([name]) => !wrong.has(name)));
  // Without a wrong setting its default was compared, so what names it says nothing.
  return namesNone(wrong, schema.safeParse(right).error?.issues ?? []);
}

const namesNone = (names: Set<string>, issues: z.core.$ZodIssue[]) =>
  issues.filter(({ path, message }) =>
    names.isDisjointFrom(new Set([...path.map(String), ...(message.match(/[A-Z][A-Z_]+/g) ?? [])])),
  );
