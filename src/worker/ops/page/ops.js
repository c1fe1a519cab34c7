// The operator's page: one stream in, everything redrawn from it. States: connecting → live → lost → live; or refused
// → connecting, with a key.

import { Charts } from './charts.js';
import { listen } from './stream.js';
import { byId, showEvents, showFigures, showHead, showTree } from './view.js';

/** For as long as the tab is open; never on disk. */
const KEY_NAME = 'ninelives-key';
const charts = new Charts(byId('charts'));
const form = /** @type {HTMLFormElement} */ (byId('key-form'));
const field = /** @type {HTMLInputElement} */ (byId('key'));

/** @param {string} name @param {any} data */
function onEvent(name, data) {
  if (name === 'history') {
    form.hidden = true;
    byId('main').hidden = false;
    charts.reset(data);
  } else if (name === 'system') {
    const { snapshot, sample } = data;
    showHead(snapshot);
    showFigures(snapshot, sample);
    showTree(snapshot);
    showEvents(snapshot.events);
    charts.add(sample);
  }
}

/** @param {string} message */
function onLost(message) {
  const state = byId('state');
  state.textContent = `◌ no connection: ${message}`;
  state.className = 'badge bad';
  document.title = '◌ ninelives: no connection';
}

/** @param {string} message */
function onRefused(message) {
  byId('main').hidden = true;
  byId('state').textContent = '';
  byId('key-error').textContent = sessionStorage.getItem(KEY_NAME) ? message : '';
  sessionStorage.removeItem(KEY_NAME);
  form.hidden = false;
  field.focus();
}

function start() {
  // Beside this script, whatever path a proxy takes away.
  listen(new URL('live', import.meta.url).href, sessionStorage.getItem(KEY_NAME) ?? '', {
    onEvent,
    onLost,
    onRefused,
  });
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY_NAME, field.value.trim());
  field.value = '';
  start();
});
start();
