// What a snapshot looks like. Text goes in as text, never as markup.

/** @typedef {import('../../../messages/snapshot.ts').SystemSnapshot} Snapshot */
/** @typedef {import('../../../messages/snapshot.ts').ChildSnapshot} ChildSnapshot */
/** @typedef {import('../../../messages/snapshot.ts').SystemEvent} SystemEvent */
/** @typedef {import('../../../metrics/history.ts').Sample} Sample */

/** How long a process that has just come is lit. */
const FRESH_MS = 4000;
const MB = 1024 * 1024;

/** Each state by a sign, a word and a tone: readable without colour. @type {Record<string, [string, string]>} */
const STATES = {
  serving: ['●', 'good'],
  ready: ['●', 'good'],
  standby: ['○', 'good'],
  starting: ['◐', 'warn'],
  exchanging: ['⇄', 'warn'],
  healing: ['✚', 'warn'],
  draining: ['◒', 'warn'],
  stopping: ['◒', 'warn'],
  'backing-off': ['↻', 'bad'],
  broken: ['⚠', 'bad'],
  dead: ['✕', 'bad'],
  stopped: ['■', 'bad'],
};

/** @type {Record<string, [string, string]>} */
const EVENTS = {
  crash: ['✕', 'bad'],
  'breaker-open': ['⚠', 'bad'],
  'primary-died': ['✕', 'bad'],
  failed: ['✕', 'bad'],
  'reload-failed': ['⚠', 'bad'],
  'drill-failed': ['⚠', 'bad'],
  database: ['⚠️', 'bad'],
  'writes-refused': ['⛔', 'bad'],
  stall: ['⚠', 'warn'],
  heal: ['✚', 'warn'],
  history: ['⚠', 'warn'],
  rewind: ['⚠', 'warn'],
  replication: ['⇅', 'warn'],
  suspended: ['⚠', 'bad'],
  fenced: ['✕', 'bad'],
  orphaned: ['⚠', 'bad'],
  'took-over': ['⚠', 'warn'],
  demoted: ['■', 'warn'],
  resumed: ['✓', 'good'],
  standby: ['○', 'good'],
  leads: ['●', 'good'],
  restart: ['↻', 'good'],
  replace: ['⇄', 'good'],
  reload: ['⇄', 'good'],
  healed: ['✚', 'good'],
  restored: ['✚', 'good'],
  'writes-accepted': ['✓', 'good'],
  serving: ['●', 'good'],
  start: ['▶', 'good'],
  stop: ['■', 'warn'],
};

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {...(string | Node)} content
 */
function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/** @param {string} state */
function badge(state) {
  const [sign, tone] = STATES[state] ?? ['?', 'warn'];
  return element('p', `badge ${tone}`, `${sign} ${state}`);
}

/** @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

/** @param {number} bytes */
function size(bytes) {
  return bytes < MB ? `${Math.ceil(bytes / 1024)} KB` : `${Math.round(bytes / MB)} MB`;
}

/** @param {number | null} value */
function rounded(value) {
  if (value === null) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en') : String(Math.round(value * 10) / 10);
}

/** @param {Snapshot} snapshot */
export function showHead({ state, status, releases, nodeVersion, startedAtMs, atMs, url, dataDir, replica }) {
  const serves = state === 'serving' && status.ready;
  const word = serves ? 'serving' : state === 'serving' ? 'not ready' : state;
  const [sign, tone] = serves ? ['●', 'good'] : (STATES[state] ?? ['⚠', 'bad']);
  const line = byId('state');
  line.textContent = `${sign} ${word}${serves && status.degraded.length > 0 ? ', with something out of order' : ''}`;
  line.className = `badge ${serves && status.degraded.length > 0 ? 'warn' : tone}`;
  document.title = `${sign} ninelives: ${word}`;
  byId('about').textContent =
    `up ${duration(atMs - startedAtMs)} · ${url ?? 'not listening'} · data ${dataDir} · replica ${replica.url}` +
    `${replica.isOnSameDisk ? ' (on the same disk)' : ''} · release ${releases.workers.version} (${releases.workers.hash}), Node.js ${nodeVersion}`;
  byId('troubles').replaceChildren(
    ...status.notReady.map((trouble) => troubleOf(trouble, '✕ not ready', 'bad')),
    ...status.degraded.map((trouble) => troubleOf(trouble, '⚠ out of order', 'warn')),
  );
}

/**
 * @param {{name: string, reason: string}} trouble
 * @param {string} label
 * @param {string} tone
 */
function troubleOf({ name, reason }, label, tone) {
  return element('li', tone, element('b', '', `${label}: ${name}`), reason);
}

/** @param {Snapshot} snapshot @param {Sample | null} sample */
export function showFigures(snapshot, sample) {
  const { replication, storage, lastDrill, listener, atMs, children } = snapshot;
  const unconfirmedBytes = Object.values(replication.databases).reduce(
    (sum, one) => sum + one.unconfirmedBytes,
    0,
  );
  const figures = [
    figure(
      'Requests',
      `${rounded(sample?.requestsPerS ?? 0)} /s`,
      `${rounded(sample?.errorsPerS ?? 0)} /s failed (5xx)`,
    ),
    figure(
      'Latency',
      sample?.p50Ms == null ? '–' : `${rounded(sample.p50Ms)} ms`,
      `p50; p99 ${rounded(sample?.p99Ms ?? null)} ms`,
    ),
    figure(
      'Writes',
      `${rounded(sample?.writesPerS ?? 0)} /s`,
      `${rounded(sample?.batchOperations ?? null)} a commit`,
    ),
    figure(
      'Replica behind by',
      replication.lagMs === 0 ? '0 s' : duration(replication.lagMs),
      `${replication.state}, ${size(unconfirmedBytes)} to go`,
      replication.trouble ? 'bad' : '',
    ),
    figure(
      'Last drill',
      lastDrill === null ? 'none yet' : lastDrill.ok ? '✓ whole' : '✕ failed',
      lastDrill === null
        ? 'npx ninelives verify'
        : `${duration(atMs - Date.parse(lastDrill.at))} ago, ${lastDrill.rowsCompared.toLocaleString('en')} rows`,
      lastDrill?.ok === false ? 'bad' : '',
    ),
    figure(
      'Disk free',
      storage.freeMb === null
        ? '–'
        : storage.freeMb > 10_240
          ? `${Math.round(storage.freeMb / 1024)} GB`
          : `${storage.freeMb} MB`,
      storage.readOnlyBecause ?? `${storage.reserveMb} MB are kept free`,
      storage.readOnlyBecause ? 'bad' : '',
    ),
    figure('Waiting connections', String(listener.waitingConnections), 'for a worker'),
    figure('Memory', size(memoryBytes(snapshot)), `${children.length + 1} processes (RSS)`),
    ...failoverFigures(snapshot),
    ...children.flatMap((child) => gaugesOf(child)),
  ];
  byId('figures').replaceChildren(...figures);
}

/** Of a system beside another one. @param {Snapshot} snapshot */
function failoverFigures({ failover, atMs }) {
  if (!failover) return [];
  const { role, epoch, holder, renewedAtMs, heldBackBecause, restoreMs } = failover;
  const renewed = renewedAtMs === null ? '' : `, renewed ${duration(Math.max(0, atMs - renewedAtMs))} ago`;
  const who = holder === null ? '' : `${holder} leads; `;
  return [
    figure(
      'Failover',
      role,
      `${who}epoch ${epoch ?? '–'}${renewed}`,
      role === 'suspended' || heldBackBecause !== null ? 'bad' : '',
    ),
    ...(restoreMs === null
      ? []
      : [figure('A takeover restores in', duration(restoreMs), 'by the last drill')]),
  ];
}

/** @param {Snapshot} snapshot */
function memoryBytes({ primary, children }) {
  return children.reduce((sum, { rssBytes }) => sum + (rssBytes ?? 0), primary.rssBytes);
}

/** What a process of a feature counts, such as the mails that wait. @param {ChildSnapshot} child */
function gaugesOf({ name, gauges }) {
  const [first, ...others] = Object.entries(gauges).map(
    ([gauge, value]) => `${value.toLocaleString('en')} ${gauge.replaceAll('_', ' ')}`,
  );
  return first === undefined ? [] : [figure(name, first, others.join(', '))];
}

/** @param {string} name @param {string} value @param {string} more @param {string} tone */
function figure(name, value, more, tone = '') {
  return element('div', '', element('dt', '', name), element('dd', tone, value, element('small', '', more)));
}

/** @param {Snapshot} snapshot */
export function showTree({ primary, children, atMs, startedAtMs }) {
  const top = node(
    'primary',
    'ready',
    [`pid ${primary.pid}`, `up ${duration(atMs - startedAtMs)}`, size(primary.rssBytes)],
    null,
    false,
  );
  const below = element('div', 'children', ...children.map(childNode));
  byId('tree').replaceChildren(top, below);
}

/** @param {ChildSnapshot} child */
function childNode({ name, state, pid, ageMs, restarts, rssBytes, lastExitCause, breaker }) {
  const facts = [
    pid === null ? 'no process' : `pid ${pid}`,
    ...(ageMs === null ? [] : [`up ${duration(ageMs)}`]),
    ...(rssBytes === null ? [] : [size(rssBytes)]),
    restarts === 1 ? '1 restart' : `${restarts} restarts`,
  ];
  const cause =
    lastExitCause === null
      ? null
      : `${breaker === 'open' ? '⚠ breaker open; ' : ''}last end: ${lastExitCause}`;
  const isFresh = restarts > 0 && ageMs !== null && ageMs < FRESH_MS;
  return node(name, state, facts, cause, isFresh);
}

/**
 * @param {string} name
 * @param {string} state
 * @param {string[]} facts
 * @param {string | null} cause
 * @param {boolean} isFresh
 */
function node(name, state, facts, cause, isFresh) {
  const made = element(
    'article',
    isFresh ? 'node fresh' : 'node',
    element('header', '', element('h3', '', name), badge(state)),
    element('p', 'facts', facts.join(' · ')),
    ...(cause === null ? [] : [element('p', 'cause', cause)]),
  );
  made.dataset.name = name;
  made.dataset.state = state;
  return made;
}

/** @param {readonly SystemEvent[]} events oldest first */
export function showEvents(events) {
  byId('events').replaceChildren(...[...events].reverse().map(eventItem));
}

/** @param {SystemEvent} event */
function eventItem({ id, atMs, kind, child, pid, cause, durationMs }) {
  const [sign, tone] = EVENTS[kind] ?? ['·', ''];
  const at = new Date(atMs);
  const time = /** @type {HTMLTimeElement} */ (element('time', '', clock(at)));
  time.dateTime = at.toISOString();
  time.title = at.toString();
  // The cause of these goes on from the child's name, and says which process it is and how long it took.
  const isSentence = kind === 'restart' || kind === 'replace';
  const process = pid === null ? '' : ` (pid ${pid})`;
  const who = child === null ? '' : isSentence ? `${child} ` : `${child}${process}: `;
  const took = durationMs === null || isSentence ? '' : ` – ${duration(durationMs)}`;
  const item = element(
    'li',
    '',
    time,
    element('span', `what ${tone}`, `${sign} ${kind}`),
    element('span', 'cause', `${who}${cause}${took}`.trim()),
  );
  item.dataset.id = String(id);
  return item;
}

/** @param {Date} at */
function clock(at) {
  const isToday = at.toDateString() === new Date().toDateString();
  const time = at.toLocaleTimeString('en-GB');
  return isToday ? time : `${at.getDate()}.${at.getMonth() + 1}. ${time.slice(0, 5)}`;
}
