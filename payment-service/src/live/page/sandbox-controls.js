import { post } from './api.js';
import { showTrouble } from './error-message.js';

/** @typedef {NonNullable<import('../snapshot.ts').Snapshot['levers']['Aldeamo']>} SandboxSettings */

const well = {
  failure_rate: 0,
  slow_rate: 0,
  hang_rate: 0,
  cut_before_rate: 0,
  cut_after_rate: 0,
  late_rate: 0,
  throttle_rate: 0,
  garbage_rate: 0,
};

/**
 * What each lever makes of a sandbox. Slow is well within the deadline: it still sends.
 *
 * @type {Record<string, Partial<SandboxSettings>>}
 */
const levers = {
  break: { ...well, failure_rate: 1 },
  slow: { ...well, slow_rate: 1, slow_ms: 1500 },
  heal: well,
};

/**
 * The lever that a sandbox obeys, if it is one of these.
 *
 * @param {SandboxSettings} settings
 */
export const leverOf = (settings) =>
  Object.entries(levers).find(([, wanted]) =>
    Object.entries(wanted).every(
      ([name, value]) => settings[/** @type {keyof SandboxSettings} */ (name)] === value,
    ),
  )?.[0] ?? null;

/**
 * @param {string} provider
 * @param {string} lever
 */
export async function pullLever(provider, lever) {
  try {
    const { status } = await post(`/sandbox/${provider}`, levers[lever]);
    showTrouble(status === 200 ? null : status === 401 || status === 403 ? 'adminNeeded' : 'leverFailed', {
      status,
    });
  } catch {
    showTrouble('unreachable');
  }
}
