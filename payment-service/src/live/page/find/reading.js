import { request } from '../api.js';
import { readPayments } from './read-payments.js';

/** @typedef {{ type?: string, detail?: string, errors?: { path: string, message: string }[] }} Problem */
/**
 * What a request found. `aborted`: another one has taken its place, so that it must show nothing.
 *
 * @typedef {{ kind: 'found', body: any, at: string }
 *   | { kind: 'problem', status: number, problem: Problem }
 *   | { kind: 'unreachable' | 'keyNeeded' | 'keyRefused' | 'aborted' }} Reading
 */
/** @typedef {(path: string, signal: AbortSignal) => Promise<Reading>} Read */

const deadlineMs = 20_000;

/**
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<Reading>}
 */
export async function readFrom(path, signal) {
  try {
    const response = await request(path, {
      headers: { accept: 'application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    });
    const text = await response.text();
    if (signal.aborted) return { kind: 'aborted' };
    const { status } = response;
    if (status === 401) return { kind: 'keyNeeded' };
    if (status === 403) return { kind: 'keyRefused' };
    if (status === 200) return { kind: 'found', body: readPayments(text), at: new Date().toISOString() };
    return { kind: 'problem', status, problem: problemOf(text) };
  } catch {
    return { kind: signal.aborted ? 'aborted' : 'unreachable' };
  }
}

/**
 * A proxy in front of the service may respond with another document.
 *
 * @param {string} text
 * @returns {Problem}
 */
function problemOf(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
