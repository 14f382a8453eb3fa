import { ConfigurationError, readConfiguration } from 'service-kit/http/configuration.ts';
import { reachableUrl } from 'service-kit/http/reachable-url.ts';
import { type AldeamoConfig, aldeamoConfigSchema } from '../aldeamo-service/src/config.ts';
import { type PaymentConfig, paymentConfigSchema } from '../payment-service/src/config.ts';
import { type TwilioConfig, twilioConfigSchema } from '../twilio-service/src/config.ts';

/** In the order in which they are announced. The schema's own PORT is set from this setting. */
export const services = [
  { name: 'payment-service', portSetting: 'PAYMENT_SERVICE_PORT', port: '8000', schema: paymentConfigSchema },
  { name: 'aldeamo-service', portSetting: 'ALDEAMO_SERVICE_PORT', port: '8001', schema: aldeamoConfigSchema },
  { name: 'twilio-service', portSetting: 'TWILIO_SERVICE_PORT', port: '8002', schema: twilioConfigSchema },
] as const;

/** As in docker-compose.yml, so that a first payment is seen to be delivered. */
const deliveryMs = '1500';

type ServiceName = (typeof services)[number]['name'];

export interface ServicePlan {
  name: ServiceName;
  portSetting: string;
  host: string;
  port: number;
  url: string;
  /** Its settings beside those of the environment. */
  settings: Record<string, string>;
}

export interface Settings {
  plans: ServicePlan[];
  payment: PaymentConfig;
  aldeamo: AldeamoConfig;
  twilio: TwilioConfig;
}

/** What the starter sets by itself, so that it has no effect in `.env`, and what to set instead. */
export const setByStarter: Record<string, string | undefined> = {
  PORT: services.map(({ portSetting }) => portSetting).join(', '),
  PAYMENT_SERVICE_URL: 'PAYMENT_SERVICE_PORT',
  ALDEAMO_SERVICE_URL: 'ALDEAMO_SERVICE_PORT',
  TWILIO_SERVICE_URL: 'TWILIO_SERVICE_PORT',
};

interface Issue {
  service: ServiceName;
  name: string;
  message: string;
}

/**
 * Reads the settings of all three services.
 *
 * @throws ConfigurationError that names each wrong setting once, under the services that it is wrong for
 */
export function readSettings(env: Record<string, string | undefined>): Settings {
  const plans = planServices(env);
  const issues: Issue[] = portConflicts(plans);
  const [payment, aldeamo, twilio] = services.map(({ name, portSetting, schema }, index) => {
    try {
      const config = readConfiguration(schema, { ...env, ...plans[index]?.settings });
      // A service alone may listen on any free port, but here the others have to find it.
      if (config.PORT === 0) issues.push({ service: name, name: portSetting, message: 'must be at least 1' });
      return config;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      for (const issue of error.issues)
        issues.push({
          service: name,
          message: issue.message,
          name: issue.name === 'PORT' ? portSetting : issue.name,
        });
      return undefined;
    }
  });
  if (issues.length > 0) throw new ConfigurationError(describe(issues), issues);
  return {
    plans: plans.map((plan) => ({ ...plan, host: (payment as PaymentConfig).HOST })),
    payment: payment as PaymentConfig,
    aldeamo: aldeamo as AldeamoConfig,
    twilio: twilio as TwilioConfig,
  };
}

function planServices(env: Record<string, string | undefined>): ServicePlan[] {
  const host = env.HOST || 'localhost';
  const ports = services.map(({ portSetting, port }) => env[portSetting] || port);
  const [PAYMENT_SERVICE_URL = '', ALDEAMO_SERVICE_URL = '', TWILIO_SERVICE_URL = ''] = ports.map(
    (port) => reachableUrl(host, port) ?? '',
  );
  const urls = { PAYMENT_SERVICE_URL, ALDEAMO_SERVICE_URL, TWILIO_SERVICE_URL };
  const deliveries = {
    ALDEAMO_DELIVERY_MS: env.ALDEAMO_DELIVERY_MS || deliveryMs,
    TWILIO_DELIVERY_MS: env.TWILIO_DELIVERY_MS || deliveryMs,
  };
  return services.map(({ name, portSetting }, index) => ({
    name,
    portSetting,
    host,
    port: Number(ports[index]),
    url: Object.values(urls)[index] ?? '',
    settings: { ...urls, ...deliveries, PORT: ports[index] ?? '' },
  }));
}

const portConflicts = (plans: ServicePlan[]): Issue[] =>
  plans.flatMap(({ name, portSetting, port }, index) => {
    const other = plans.slice(0, index).find((earlier) => earlier.port === port && port > 0);
    return other
      ? [{ service: name, name: portSetting, message: `must differ from ${other.portSetting}` }]
      : [];
  });

function describe(issues: Issue[]): string {
  const groups = new Map<string, string[]>();
  for (const [name, ofName = []] of Object.entries(Object.groupBy(issues, (issue) => issue.name))) {
    const heading = [...new Set(ofName.map(({ service }) => service))].join(', ');
    const messages = [...new Set(ofName.map(({ message }) => message))].join('; ');
    groups.set(heading, [...(groups.get(heading) ?? []), `    ${name}: ${messages}`]);
  }
  const lines = [...groups].flatMap(([heading, settings]) => [`  ${heading}`, ...settings]);
  return [
    'Nothing was started, because these settings are wrong:',
    ...lines,
    'Correct them in .env or in the environment; .env.example has all of them with their defaults.',
  ].join('\n');
}
