import type { Agent } from 'node:http';
import { alertOf, seededMovieId } from './alert.ts';
import { authorization, clientOf } from './support/http-client.ts';

const CONNECTIONS = 20;
const TIMEOUT_MS = 30_000;
const PAGES_MAX = 100;

/**
 * Makes the alerts that a scenario reads.
 * @param url base of the API
 * @param headers that the server needs, such as a key
 * @throws Error when one is refused or all take too long, or the signal's reason
 */
export async function seedAlerts(
  url: string,
  count: number,
  signal: AbortSignal,
  headers: Headers = {},
): Promise<void> {
  await withAgent(url, signal, headers, async (ask) => {
    await Promise.all(
      Array.from({ length: count }, (_, index) => {
        return ask('POST', `${url}/alert`, JSON.stringify(alertOf(seededMovieId(index))));
      }),
    );
  });
}

/**
 * @param url base of the API
 * @param headers that the server needs, such as a key
 * @returns the paths of the list's pages, from the newest alert on, by cursor
 * @throws Error when one is refused or all take too long, or the signal's reason
 */
export async function walkPages(url: string, signal: AbortSignal, headers: Headers = {}): Promise<string[]> {
  return await withAgent(url, signal, headers, async (ask) => {
    const paths = ['/alert?limit=20'];
    while (paths.length < PAGES_MAX) {
      const page = JSON.parse(await ask('GET', `${url}${paths.at(-1)}`)) as { next_cursor?: string | null };
      if (!page.next_cursor) break;
      paths.push(`/alert?limit=20&cursor=${encodeURIComponent(page.next_cursor)}`);
    }
    return paths;
  });
}

type Headers = Readonly<Record<string, string>>;
type Ask = (method: string, url: string, body?: string) => Promise<string>;

async function withAgent<Result>(
  base: string,
  signal: AbortSignal,
  more: Headers,
  use: (ask: Ask) => Promise<Result>,
): Promise<Result> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const agent = new (clientOf(base).Agent)({ keepAlive: true, maxSockets: CONNECTIONS });
  try {
    return await use((method, url, body) =>
      ask(method, url, body, { ...authorization(), ...more }, agent, ended),
    );
  } finally {
    agent.destroy();
  }
}

function ask(
  method: string,
  url: string,
  body: string | undefined,
  own: Headers,
  agent: Agent,
  signal: AbortSignal,
): Promise<string> {
  const headers =
    body === undefined
      ? own
      : { ...own, 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = clientOf(url).request(url, { method, agent, headers, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => {
        const { statusCode } = response;
        if (statusCode === 201 || statusCode === 200) resolve(text);
        else reject(new Error(`preparing the load: ${method} was answered with ${statusCode}: ${text}`));
      });
    });
    sent.once('error', (error) => reject(signal.aborted ? signal.reason : error));
    sent.end(body);
  });
}
