import { post } from './api.js';
import { get } from './elements.js';
import { clearError, showError } from './error-message.js';

const everyMs = 100;
const action = 'payment';

/** Sends single payments, or ten a second while the page is visible. */
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
      // Asynchronous, because a browser has six connections to a host: payments that wait for a slow provider would block the
      // sandbox controls.
      const { status } = await post('/payments', payment, { prefer: 'respond-async' });
      if (status === 202) return clearError(action);
      // The service is at fault, or busy: it is over once its store takes payments.
      const isPassing = status === 429 || status >= 500;
      showError(action, 'refused', { status }, ({ store_fault }) => isPassing && !store_fault);
    } catch {
      showError(action, 'unreachable', {}, () => true);
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
