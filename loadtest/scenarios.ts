import { randomBytes } from 'node:crypto';
import { alertOf, alertPath, seededMovieId } from './alert.ts';

/** One request; its body function makes each one different. */
export interface ScenarioRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** @param id unique in this run, always of the same length */
  readonly body?: (id: string) => string | Buffer;
}

/** What a scenario knows about one connection. */
export interface Lane {
  /** The connection's number, from 0. */
  readonly connection: number;
  readonly connections: number;
  /** How many alerts were seeded. */
  readonly seededAlerts: number;
  /** The paths of the list's pages in order; empty unless the scenario wants them. */
  readonly pages: readonly string[];
  /** How many characters longer than usual a new alert is. */
  readonly extraChars?: number;
}

/** The requests to a server; `Load` says how hard and how long. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** How many alerts must exist before the load begins. */
  readonly seededAlerts: number;
  readonly wantsPages?: boolean;
  /** More connections would be refused by design. */
  readonly connectionsMax?: number;
  /** The default rate of a scenario that is made for a fixed rate. */
  readonly ratePerSecond?: number;
  /** The requests that one connection repeats in turn. */
  readonly requests: (lane: Lane) => ScenarioRequest[];
}

const SEEDED_ALERTS = 1000;
const OPEN_LOOP_RATE = 500;
const READS_PER_WRITE = 9;
/** The size of a cover image on a page. */
const IMAGE_BYTES = 32 * 1024;
/** A worker takes 16 at once and refuses more; one worker may get them all. */
const UPLOADS_MAX = 16;
const BOUNDARY = 'the-boundary-of-the-load-test';

const JSON_TYPE = { 'Content-Type': 'application/json' };

const write: ScenarioRequest = {
  method: 'POST',
  path: '/alert',
  headers: JSON_TYPE,
  body: (id) => JSON.stringify(alertOf(id)),
};

function writeOf({ extraChars }: Lane): ScenarioRequest {
  return { ...write, body: (id) => JSON.stringify(alertOf(id, extraChars)) };
}

/** Every scenario, in the order in which they run. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'read',
    title: 'an alert by its key',
    seededAlerts: SEEDED_ALERTS,
    requests: readsOf,
  },
  { name: 'write', title: 'a new alert, durable', seededAlerts: 0, requests: (lane) => [writeOf(lane)] },
  {
    name: 'mixed',
    title: '90 % reads, 10 % durable writes',
    seededAlerts: SEEDED_ALERTS,
    requests: mixed,
  },
  {
    name: 'upload',
    title: `a new image of ${IMAGE_BYTES / 1024} KB, durable`,
    seededAlerts: 0,
    connectionsMax: UPLOADS_MAX,
    requests: () => [uploadOf(IMAGE_BYTES)],
  },
  {
    name: 'list',
    title: 'pages of 20 alerts, by cursor',
    seededAlerts: SEEDED_ALERTS,
    wantsPages: true,
    // Each connection starts at a different page.
    requests: ({ pages, connection }) => rotate(pages, connection).map((path) => ({ method: 'GET', path })),
  },
  {
    name: 'replicated-write',
    title: 'a new alert, in the replica before the answer',
    seededAlerts: 0,
    requests: () => [{ ...write, headers: { ...JSON_TYPE, Durability: 'replicated' } }],
  },
  {
    name: 'open-loop',
    title: 'mixed, at a fixed rate',
    seededAlerts: SEEDED_ALERTS,
    ratePerSecond: OPEN_LOOP_RATE,
    requests: mixed,
  },
];

/** autocannon does not count the answers on connections that the server closes; wrk does. */
export const shortRead: Scenario = {
  name: 'short-read',
  title: 'an alert by its key, each by a connection of its own',
  seededAlerts: SEEDED_ALERTS,
  requests: (lane) => readsOf(lane).map((read) => ({ ...read, headers: { Connection: 'close' } })),
};

/** @throws Error when there is none of that name */
export function scenarioOf(name: string): Scenario {
  const found = [...scenarios, shortRead].find((scenario) => scenario.name === name);
  if (!found) throw new Error(`There is no scenario ${name}`);
  return found;
}

/** Each connection reads its share of the alerts, at most SEEDED_ALERTS; together they span all alerts. */
function readsOf({ connection, connections, seededAlerts }: Lane): ScenarioRequest[] {
  const count = Math.max(1, Math.min(SEEDED_ALERTS, Math.floor(seededAlerts / connections)));
  const stride = seededAlerts / (count * connections);
  return Array.from({ length: count }, (_, index) => ({
    method: 'GET',
    path: alertPath(seededMovieId(Math.floor((index * connections + connection) * stride) % seededAlerts)),
  }));
}

function mixed(lane: Lane): ScenarioRequest[] {
  const requests = readsOf(lane).flatMap((read, index) => {
    return index % READS_PER_WRITE === 0 ? [write, read] : [read];
  });
  // The connections begin together: rotation keeps them from writing at the same time.
  return rotate(requests, lane.connection);
}

function uploadOf(sizeBytes: number): ScenarioRequest {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="cover.gif"\r\nContent-Type: image/gif\r\n\r\n`;
  const signature = 'GIF89a';
  // Random bytes do not compress, like those of a real image.
  const image = randomBytes(sizeBytes);
  image.write(signature, 'latin1');
  const body = Buffer.concat([Buffer.from(head), image, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
  return {
    method: 'POST',
    path: '/movie/image',
    headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` },
    body(id) {
      const copy = Buffer.from(body);
      copy.write(id, head.length + signature.length, 'latin1');
      return copy;
    },
  };
}

function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
