import { post } from './api.js';
import { get } from './elements.js';
import { showTrouble } from './error-message.js';

const everyMs = 100;

/** Sends payments by hand, or ten a second for as long as somebody looks. */
export function createDemoPayments() {
  const many = /** @type {HTMLButtonElement} */ (get('#send-many'));
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;

  async function sendOne() {
    const payment = {
      amount: Math.ceil(Math.random() * 500) * 100,
      customer_id: `demo-${Math.ceil(Math.random() * 99)}`,
    };
    try {
      // A browser has six connections to a host: payments that wait for a slow provider would hold up the levers.
      const { status } = await post('/payments', payment, { prefer: 'respond-async' });
      showTrouble(status === 202 ? null : 'refused', { status });
    } catch {
      showTrouble('unreachable');
    }
  }

  function stop() {
    clearInterval(timer);
    timer = undefined;
    many.setAttribute('aria-pressed', 'false');
  }

  get('#send-one').addEventListener('click', () => void sendOne());
  many.addEventListener('click', () => {
    if (timer !== undefined) return stop();
    timer = setInterval(() => void sendOne(), everyMs);
    many.setAttribute('aria-pressed', 'true');
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) stop();
  });
  return { stop };
}
