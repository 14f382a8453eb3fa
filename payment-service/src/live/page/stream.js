import { createParser } from '/live/eventsource-parser/index.js';
import { ask } from './api.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */
/** @typedef {'connecting' | 'connected' | 'lost' | 'full' | 'keyNeeded'} Connection */

const firstPauseMs = 500;
const longestPauseMs = 5000;
/** The service speaks at least every 15 s. Who is silent for longer is gone, whatever the network says. */
const silenceMs = 20_000;

/**
 * Reads the events, again and again: each is all there is to know, so nothing is missed over a lost connection. Not with
 * EventSource, which can send no key. It ends when a key is needed.
 *
 * @param {object} on
 * @param {(snapshot: Snapshot) => void} on.snapshot
 * @param {(connection: Connection) => void} on.connection
 */
export async function watch(on) {
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
      if (status === 401 || status === 403) return on.connection('keyNeeded');
      if (status === 503) state = 'full';
    } catch {
      // A connection that breaks, or can not be made.
    }
    on.connection(state);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/**
 * @param {(snapshot: Snapshot) => void} onSnapshot
 * @returns {Promise<number>} the status of the answer, when it has ended
 */
async function readEvents(onSnapshot) {
  const silence = new AbortController();
  const giveUp = () => silence.abort();
  let timer = setTimeout(giveUp, silenceMs);
  try {
    const { status, body } = await ask('/events', { signal: silence.signal });
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
