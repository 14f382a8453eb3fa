import { post } from './api.js';
import { clearError, showError } from './error-message.js';

/** @typedef {NonNullable<import('../snapshot.ts').Snapshot['levers']['Aldeamo']>} SandboxSettings */
/** @typedef {{ applies: (settings: SandboxSettings) => boolean, changes: Partial<SandboxSettings> }} Choice */

const noFaults = {
  failure_rate: 0,
  slow_rate: 0,
  hang_rate: 0,
  cut_before_rate: 0,
  cut_after_rate: 0,
  late_rate: 0,
  throttle_rate: 0,
  garbage_rate: 0,
};
const allDelivered = {
  undelivered_rate: 0,
  not_sent_rate: 0,
  filtered_rate: 0,
  refused_rate: 0,
  receipt_late_rate: 0,
  receipt_twice_rate: 0,
  receipt_contradicting_rate: 0,
  receipt_lost_rate: 0,
};
const deliveryMs = 1500;

/** @param {Partial<SandboxSettings>} changes */
const choiceOf = (changes) => ({
  changes,
  applies: (/** @type {SandboxSettings} */ settings) =>
    Object.entries(changes).every(
      ([name, value]) => settings[/** @type {keyof SandboxSettings} */ (name)] === value,
    ),
});

/**
 * What a sandbox does with a send, and with an SMS that it has accepted. `slow` stays within the deadline, so the provider still
 * sends.
 *
 * @type {Record<string, Record<string, Choice>>}
 */
const choices = {
  sends: {
    normal: choiceOf(noFaults),
    slow: choiceOf({ ...noFaults, slow_rate: 1, slow_ms: 1500 }),
    failing: choiceOf({ ...noFaults, failure_rate: 1 }),
  },
  deliveries: {
    delivered: {
      changes: { ...allDelivered, delivery_ms: deliveryMs },
      applies: (settings) => settings.delivery_ms !== null && choiceOf(allDelivered).applies(settings),
    },
    undelivered: choiceOf({ ...allDelivered, undelivered_rate: 1, delivery_ms: deliveryMs }),
    noReceipts: choiceOf({ delivery_ms: null }),
  },
};

/**
 * Whether the sandbox has the settings of this choice. None of a group applies if they were set in another way.
 *
 * @param {SandboxSettings} settings
 * @param {string} group
 * @param {string} choice
 */
export const applies = (settings, group, choice) => choices[group]?.[choice]?.applies(settings) ?? false;

/**
 * @param {'Aldeamo' | 'Twilio'} provider
 * @param {string} group
 * @param {string} choice
 * @returns {Promise<boolean>} whether the sandbox has these settings now
 */
export async function applyChoice(provider, group, choice) {
  const action = `sandbox of ${provider}`;
  try {
    const { status } = await post(`/sandbox/${provider}`, choices[group]?.[choice]?.changes);
    if (status === 200) clearError(action);
    else if (status === 401 || status === 403) showError(action, 'adminNeeded');
    else showError(action, 'controlFailed', { status }, ({ levers }) => levers[provider] !== null);
    return status === 200;
  } catch {
    showError(action, 'unreachable', {}, () => true);
    return false;
  }
}
