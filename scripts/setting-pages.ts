import { fileSetting } from 'service-kit/http/secret-files.ts';
import { documentedSettings, type Setting } from './documented-settings.ts';

/** A setting is in the first section whose names it matches. */
const sections: [title: string, names: RegExp][] = [
  ['Addresses and ports', /^(HOST|PORT)$|_SERVICE_(PORT|URL)$|^REPLICA_NAME$/],
  [
    'Keys, hosts and limits',
    /^(API_KEYS|CLIENTS_ISOLATED|ADMIN_API_KEY|SERVICE_TOKEN|ALLOW(?!ED_COUNTRIES|_MIXED)|RATE_LIMIT|MAX_CONCURRENT)/,
  ],
  ['Log, spans and stop', /^(LOG|OTEL|STOP)_/],
  [
    'Storage',
    /^(DATABASE_URL|SENDS_DATABASE_URL|DATABASE_PASSWORD|SENDS_DATABASE_PASSWORD|POSTGRES_PASSWORD|IDEMPOTENCY_RETENTION_MS|PAYMENT_RETENTION_MS)$/,
  ],
  ['Calls to the providers', /^(PROVIDER|GATEWAY)_|_PROXY$|^(NODE|CONTAINER)_EXTRA|^ALLOW_MIXED_MODES$/],
  ['Circuit breakers', /^CIRCUIT_/],
  ['Retries and deliveries of a notification', /^(NOTIFICATION|UNKNOWN|UNDELIVERED|RECEIPT|OUTBOX)_/],
  ['Events and webhooks', /^(EVENTS|WEBHOOK)(_|$)/],
  ['History and statistics', /^(HISTORY|STATISTICS)(_|$)/],
  ['Where SMS may go, and how many', /^(ALLOWED_COUNTRIES|MAX_SMS_)/],
  ['Texts and phones', /^(SMS_|DEFAULT_COUNTRY)/],
  ['Sandboxes', /_(LATENCY_MS|FAILURE_RATE|DELIVERY_MS|LEDGER_FILE)$/],
  ['Aldeamo, live', /^ALDEAMO_/],
  ['Twilio, live', /^(TWILIO_|PUBLIC_URL)/],
];

/** The pages that list the settings, by their paths. */
export function settingPages(): Record<string, string> {
  const settings = documentedSettings();
  const grouped = sections.map(([title]) => ({
    title,
    settings: settings.filter(({ name }) => sectionOf(name) === title),
  }));
  return { 'docs/configuration.md': markdown(grouped), '.env.example': envExample(grouped) };
}

type Section = { title: string; settings: Setting[] };

function sectionOf(name: string): string {
  const section = sections.find(([, names]) => names.test(name));
  if (!section) throw new Error(`no section lists ${name}`);
  return section[0];
}

const markdown = (grouped: Section[]) => `# Configuration

<!-- Written by npm run docs:configuration. The sentences are in the schemas: config.ts of each service, and service-kit/src. -->

Settings are environment variables, or lines of a file \`.env\` in the folder of the repository.
[\`.env.example\`](../.env.example) lists them with their defaults, as a file to copy. An empty value counts as not set. Durations end
in \`_MS\` and are whole milliseconds. A service checks its settings when it starts, and reports all wrong values at once.

A misspelt name is not an error. \`npm start\` warns of a name in \`.env\` that resembles a setting, and starts without it. Any other
unknown name in \`.env\` is ignored, and so is each unknown environment variable. \`docker compose\` ignores all of them.

A secret can be in a file, as Docker and Kubernetes mount them: \`ADMIN_API_KEY_FILE=/run/secrets/admin_api_key\` in place of
\`ADMIN_API_KEY\`. The file holds the value alone, in UTF-8; the line end behind it does not belong to the value. It is read when the
service starts: after a change, restart the service. A file that cannot be read or is empty, or both names at once, are errors.
[operations.md](operations.md#what-replicas-share) shows it for Compose.
${grouped.map(markdownSection).join('')}`;

const markdownSection = ({ title, settings }: Section) => `
## ${title}

| setting | read by | default | values | meaning |
| --- | --- | --- | --- | --- |
${settings.map((setting) => `| ${cells(setting).join(' | ')} |\n`).join('')}`;

function cells({ name, readBy, defaults, form, relation, description, secret }: Setting): string[] {
  const values = relation ? `${form}; ${relation}` : form;
  return [
    secret ? `\`${name}\` or \`${fileSetting(name)}\`` : `\`${name}\``,
    readBy.length === 3 ? 'all' : readBy.join(', '),
    defaults.map((value) => `\`${value}\``).join(', '),
    asMarkdown(values),
    asMarkdown(description),
  ];
}

/** With URLs and the names of settings as code. */
const asMarkdown = (text: string) =>
  text
    .replace(/\b(https?|file):\/+\w[\w./:-]*\w|\b[A-Z]+(_[A-Z0-9]+)+\b|\b(HOST|PORT)\b/g, '`$&`')
    .replaceAll('|', '\\|');

const envExample = (grouped: Section[]) => `\
# Every setting with its default, written by npm run docs:configuration. docs/configuration.md has their bounds as well.
# Copy this file to .env in this folder, and change what you need; npm start and docker compose read it. Both ignore PORT and
# the addresses of the services, and use the three ports instead. docker compose also ignores HOST and DATABASE_URL.
# An empty value counts as not set. Durations end in _MS and are milliseconds. A secret may be in the file that its _FILE names.
${grouped.map(envSection).join('')}`;

const envSection = ({ title, settings }: Section) => `
# --- ${title} ---
${settings
  .filter(({ name }) => name !== 'PORT') // which differs between the services
  .map(envSetting)
  .join('')}`;

/** Commented out where the default follows another setting. */
function envSetting({ name, defaults, follows, form, relation, description, secret }: Setting): string {
  const isObvious = form === 'text' || /^a (whole )?number /.test(form);
  const notes = [isObvious ? '' : form, relation].filter(Boolean).join('; ');
  const comment = commentOf(notes ? `${description} (${notes})` : description);
  const file = secret ? `${fileSetting(name)}=\n` : '';
  return `${comment}${follows ? '# ' : ''}${name}=${defaults.join()}\n${file}`;
}

/** The text as a comment, in lines of up to 110 characters. */
function commentOf(text: string): string {
  const lines = ['#'];
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`;
    if (line.length > 110) lines.push(`# ${word}`);
    else lines[lines.length - 1] = line;
  }
  return `${lines.join('\n')}\n`;
}
