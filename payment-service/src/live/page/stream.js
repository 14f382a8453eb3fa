import { createParser } from '/live/eventsource-parser/index.js';
import { request } from './api.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */
/** @typedef {'connecting' | 'connected' | 'lost' | 'full' | 'keyNeeded' | 'keyRefused'} Connection */

const firstPauseMs = 500;
const longestPauseMs = 5000;
/** The service sends an event at least every 5 s. After this time without one the connection is taken to be lost. */
const silenceMs = 12_000;

/**
 * Reads the events, and reconnects. Each event is a complete snapshot, so a lost connection loses nothing. Not EventSource,
 * because it cannot send a key. Resolves when another key is needed.
 *
 * @param {object} on
 * @param {(snapshot: Snapshot) => void} on.snapshot
 * @param {(connection: Connection) => void} on.connection
 */
export async function streamSnapshots(on) {
  on.connection('connecting');
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    /** @type {Connection} */
    let state = 'lost';
    try {
      const status = await readEvents((snapshot) => {
        pauseMs = firstPauseMs;
        on.connection('connected');
        on.snapshot(snapshot);
      });
      if (status === 401) return on.connection('keyNeeded');
      if (status === 403) return on.connection('keyRefused');
      if (status === 503) state = 'full';
    } catch {
      // The connection failed or was lost.
    }
    on.connection(state);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/**
 * @param {(snapshot: Snapshot) => void} onSnapshot
 * @returns {Promise<number>} the status of the response, after its end
 */
async function readEvents(onSnapshot) {
  const silence = new AbortController();
  const giveUp = () => silence.abort();
  let timer = setTimeout(giveUp, silenceMs);
  try {
    const { status, body } = await request('/live/events', { signal: silence.signal });
    if (status !== 200 || !body) return status;
    const parser = createParser({ onEvent: ({ data }) => onSnapshot(JSON.parse(data)) });
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return status;
      clearTimeout(timer);
      timer = setTimeout(giveUp, silenceMs);
      parser.feed(value);
    }
  } finally {
    clearTimeout(timer);
  }
}
