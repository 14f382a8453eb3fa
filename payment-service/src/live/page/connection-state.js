import { get, setText } from './elements.js';
import { textOf } from './language.js';

/** @typedef {import('./stream.js').Connection} Connection */

/** What needs the service: it is off without a connection, and says why. */
const needsConnection = '[data-needs-connection]';

/**
 * Shows whether the page is connected. Without a connection what it shows is not so any more: it is dimmed, and nothing can be
 * pressed.
 *
 * @param {Connection} connection
 */
export function renderConnection(connection) {
  const isConnected = connection === 'connected';
  const isKeyNeeded = connection === 'keyNeeded' || connection === 'keyRefused';
  setText(get('#connection'), isKeyNeeded ? '' : textOf(connection));
  get('#connection').dataset.connection = connection;
  get('#view').dataset.connected = String(isConnected);
  get('#off').hidden = isConnected;
  for (const element of document.querySelectorAll(needsConnection)) {
    const control = /** @type {HTMLButtonElement | HTMLFieldSetElement} */ (element);
    control.disabled = !isConnected;
    if (isConnected) control.removeAttribute('aria-describedby');
    else control.setAttribute('aria-describedby', 'off');
  }
}
