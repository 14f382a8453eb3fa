import { hasKey, useKey } from './api.js';
import { renderConnection } from './connection-state.js';
import { createCurrentProvider } from './current-provider.js';
import { createDemoPayments } from './demo-payments.js';
import { get, setText } from './elements.js';
import { clearErrorsThatAreOver, renderErrors } from './error-message.js';
import { createFind } from './find/find.js';
import { chooseLanguage, currentLanguage, textOf, translate } from './language.js';
import { createPaymentsList } from './payments-list.js';
import { createProviderCard } from './provider-card.js';
import { streamSnapshots } from './stream.js';

/** @typedef {import('../snapshot.ts').Snapshot} Snapshot */

const currentProvider = createCurrentProvider();
const cards = [
  createProviderCard(get('#providers'), 'Aldeamo'),
  createProviderCard(get('#providers'), 'Twilio'),
];
const payments = createPaymentsList();
const demo = createDemoPayments();
const keyForm = get('#key-form');

/** @type {Snapshot | undefined} */
let latest;
/** @type {import('./stream.js').Connection} */
let connection = 'connecting';
/** What `performance.now()` was when it came. */
let latestAt = 0;
/** The time by the clock of the service: that of the snapshot, and what has passed since, whatever this wall clock does. */
const serviceNow = () => (latest ? Date.parse(latest.at) : 0) + performance.now() - latestAt;

const find = createFind({
  now: () => (latest ? serviceNow() : Date.now()),
  onView: show,
  onKey: showConnection,
});

const needsKey = () => connection === 'keyNeeded' || connection === 'keyRefused';

function errorOfKey() {
  if (connection === 'keyRefused') return textOf('keyRefused');
  return connection === 'keyNeeded' && hasKey() ? textOf('keyWrong') : '';
}

function show() {
  renderConnection(connection);
  keyForm.hidden = !needsKey();
  setText(get('#key-wrong'), errorOfKey());
  get('#find').hidden = needsKey();
  get('#view').hidden = latest === undefined || needsKey() || !find.isOverview();
  if (!latest) return;
  const now = serviceNow();
  const isConnected = connection === 'connected';
  currentProvider.show(latest, now, isConnected ? undefined : performance.now() - latestAt);
  for (const card of cards) card.show(latest, now);
  if (isConnected && latest.payments) payments.show(latest.payments, latest.at, now);
  else payments.showStale(now);
  const isDemo = latest.levers.Aldeamo !== null && latest.levers.Twilio !== null;
  if (!isDemo || !isConnected) demo.stop();
  get('#send').hidden = !isDemo;
}

function showLanguage() {
  document.documentElement.lang = currentLanguage();
  document.title = textOf('title');
  translate(document);
  for (const card of cards) card.translate();
  find.translate();
  renderErrors();
  for (const button of document.querySelectorAll('[data-language]'))
    button.setAttribute('aria-pressed', String(button.getAttribute('data-language') === currentLanguage()));
  show();
}

/** @param {import('./stream.js').Connection} next */
function showConnection(next) {
  connection = next;
  show();
  if (needsKey()) get('#key').focus();
}

let isStreaming = false;

/** Unless it goes on by itself, with the new key: it ends only when its own request was refused for the key. */
async function stream() {
  if (isStreaming) return;
  isStreaming = true;
  await streamSnapshots({
    snapshot(snapshot) {
      latest = snapshot;
      latestAt = performance.now();
      clearErrorsThatAreOver(snapshot);
      show();
    },
    connection: showConnection,
  });
  isStreaming = false;
}

function start() {
  showConnection('connecting');
  void stream();
  void find.load();
}

for (const button of document.querySelectorAll('[data-language]')) {
  button.addEventListener('click', () => {
    chooseLanguage(button.getAttribute('data-language') === 'es' ? 'es' : 'en');
    showLanguage();
  });
}
keyForm.addEventListener('submit', (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ (get('#key'));
  useKey(input.value);
  input.value = '';
  start();
});
// Ages and countdowns run between two events.
setInterval(show, 500);

showLanguage();
start();
