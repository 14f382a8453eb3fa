import { readConfiguration } from 'service-kit/http/configuration.ts';
import { fileSetting, secretsOf } from 'service-kit/http/secret-files.ts';
import { settingRelations } from '../payment-service/src/setting-relations.ts';
import { services } from './settings.ts';

export interface Setting {
  name: string;
  readBy: string[];
  /** As they are written into `.env`: none if there is no default, several if the services differ. */
  defaults: string[];
  /** Whether the default follows another setting, which a copy of the default would stop. */
  follows: boolean;
  /** What a value looks like. */
  form: string;
  /** What it must be beside other settings. */
  relation: string | undefined;
  description: string;
  /** Whether it may be in a file; see secret-files.ts. */
  secret: boolean;
}

/** The settings that no service reads, but what starts the services. */
const ofStarters: Omit<Setting, 'follows' | 'relation' | 'secret'>[] = [
  ...services.map(({ name, portSetting, port }) => ({
    name: portSetting,
    readBy: ['npm start', 'Compose'],
    defaults: [port],
    form: 'a whole number from 1 to 65535',
    description: `The port of ${name} with npm start and docker compose.`,
  })),
  {
    name: 'POSTGRES_PASSWORD',
    readBy: ['Compose'],
    defaults: ['payments'],
    form: 'text, in single quotation marks if it has a $ or a #',
    description:
      'The password of the database of docker-compose.scale.yml. PostgreSQL reads it once, when the database is created.',
  },
  {
    name: 'CONTAINER_EXTRA_CA_CERTS',
    readBy: ['Compose'],
    defaults: [],
    form: 'a path',
    description:
      'The file of this machine that docker compose mounts, as NODE_EXTRA_CA_CERTS of the three services. The user node of the container has to be allowed to read it.',
  },
];

/** The names of all settings of `.env`. */
export const settingNames: string[] = [
  ...ofStarters.map(({ name }) => name),
  ...new Set(
    services.flatMap(({ schema }) => [...Object.keys(schema.shape), ...secretsOf(schema).map(fileSetting)]),
  ),
];

/** Every setting, those of the services in the order of their schemas. */
export function documentedSettings(): Setting[] {
  const settings = new Map<string, Setting>();
  for (const { name: service, schema } of services) {
    const defaults: Record<string, unknown> = readConfiguration(schema, {});
    const { properties = {} } = schema.toJSONSchema({ io: 'input', unrepresentable: 'any' });
    for (const [name, property] of Object.entries(properties)) {
      const setting = settings.get(name) ?? describe(name, property as Property);
      const value = String(defaults[name] ?? '');
      if (value !== '' && !setting.defaults.includes(value)) setting.defaults.push(value);
      setting.readBy.push(service);
      settings.set(name, setting);
    }
  }
  return [
    ...ofStarters.map((setting) => ({ ...setting, follows: false, relation: undefined, secret: false })),
    ...settings.values(),
  ];
}

/** What zod makes of a setting's schema, with its metadata. */
interface Property {
  default?: unknown;
  description?: string;
  enum?: string[];
  form?: string;
  secret?: boolean;
}

const alternatives = new Intl.ListFormat('en', { type: 'disjunction' });

function describe(name: string, property: Property): Setting {
  const { description, form, enum: values } = property;
  if (!description) throw new Error(`${name} has no description in its schema`);
  return {
    name,
    readBy: [],
    defaults: [],
    follows: property.default === '',
    form: form ?? (values ? alternatives.format(values) : 'text'),
    relation: relationOf(name),
    description,
    secret: property.secret === true,
  };
}

const relationOf = (name: string): string | undefined =>
  settingRelations
    .filter((each) => each.name === name)
    .map(({ must }) => must)
    .join(', ') || undefined;
