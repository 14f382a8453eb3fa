import { post } from './api.js';
import { showError } from './error-message.js';

/** @typedef {NonNullable<import('../snapshot.ts').Snapshot['levers']['Aldeamo']>} SandboxSettings */

const noFaults = {
  failure_rate: 0,
  slow_rate: 0,
  hang_rate: 0,
  cut_before_rate: 0,
  cut_after_rate: 0,
  late_rate: 0,
  throttle_rate: 0,
  garbage_rate: 0,
  undelivered_rate: 0,
  not_sent_rate: 0,
  filtered_rate: 0,
  refused_rate: 0,
  receipt_late_rate: 0,
  receipt_twice_rate: 0,
  receipt_contradicting_rate: 0,
  receipt_lost_rate: 0,
};

/**
 * The settings of each control. `slow` stays within the deadline, so the provider still sends. `withhold` has a delivery time,
 * because a sandbox without one has no receipts.
 *
 * @type {Record<string, Partial<SandboxSettings>>}
 */
const controls = {
  break: { ...noFaults, failure_rate: 1 },
  slow: { ...noFaults, slow_rate: 1, slow_ms: 1500 },
  withhold: { ...noFaults, undelivered_rate: 1, delivery_ms: 1500 },
  recover: noFaults,
};

/**
 * The control whose settings the sandbox has; null if none matches.
 *
 * @param {SandboxSettings} settings
 */
export const activeControl = (settings) =>
  Object.entries(controls).find(([, wanted]) =>
    Object.entries(wanted).every(
      ([name, value]) => settings[/** @type {keyof SandboxSettings} */ (name)] === value,
    ),
  )?.[0] ?? null;

/**
 * @param {string} provider
 * @param {string} control
 */
export async function applyControl(provider, control) {
  try {
    const { status } = await post(`/sandbox/${provider}`, controls[control]);
    showError(status === 200 ? null : status === 401 || status === 403 ? 'adminNeeded' : 'controlFailed', {
      status,
    });
  } catch {
    showError('unreachable');
  }
}
