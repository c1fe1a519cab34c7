// The operator's page: one stream in, everything redrawn from it. States: opening (with a link) → connecting → live → lost →
// live; or refused → connecting, with a key.

import { Charts } from './charts.js';
import { listen, open } from './stream.js';
import { byId, showEvents, showFigures, showHead, showTree } from './view.js';

/** What a link was exchanged for: in this page's memory alone. */
let session = '';
/** Why a link was not taken; told where a key is asked for then. */
let linkProblem = '';
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
  let told = linkProblem || (sessionStorage.getItem(KEY_NAME) ? message : '');
  if (session) told = 'The session is over: npx ninelives ops prints another link.';
  byId('key-error').textContent = told;
  session = '';
  linkProblem = '';
  sessionStorage.removeItem(KEY_NAME);
  form.hidden = false;
  field.focus();
}

function start() {
  // Beside this script, whatever path a proxy takes away.
  listen(new URL('live', import.meta.url).href, session || (sessionStorage.getItem(KEY_NAME) ?? ''), {
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
// Opened in this tab, a link changes no more than what stands behind its #.
addEventListener('hashchange', () => location.reload());

const token = location.hash.slice(1);
if (token) {
  // Whoever sees the address or the history later finds nothing there.
  history.replaceState(null, '', location.pathname + location.search);
  try {
    session = await open(new URL('session', import.meta.url).href, token);
  } catch (error) {
    linkProblem = error instanceof Error ? error.message : String(error);
  }
}
start();
