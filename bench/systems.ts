import type { Name } from './service-process.ts';

/** The systems that are compared, side by side and in turn. */

export const trio = ['aldeamo-service', 'twilio-service', 'payment-service'] as const;

export interface System {
  name: string;
  names: readonly Name[];
  headers?: Record<string, string>;
  status?: number;
  /** Aldeamo's sandbox fails and its circuit is open, so Twilio sends. */
  aldeamoFails?: boolean;
  usesPostgres?: boolean;
  settings?: Record<string, string>;
}

export const systems = [
  { name: 'pass-through', names: ['aldeamo-service', 'pass-through'] },
  { name: 'payment-service', names: trio },
  {
    name: 'payment-service, async',
    names: trio,
    headers: { prefer: 'respond-async' },
    status: 202,
    // The lowest rate, because the outbox would load the machine during the turns of the others.
    settings: { OUTBOX_RATE_PER_SECOND: '10' },
  },
  { name: 'payment-service, Aldeamo down', names: trio, aldeamoFails: true },
  { name: 'payment-service, PostgreSQL', names: trio, usesPostgres: true },
] as const satisfies System[];
