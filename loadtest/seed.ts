import { Agent, request } from 'node:http';
import { alertOf, seededMovieId } from './alert.ts';

const CONNECTIONS = 20;
const TIMEOUT_MS = 30_000;

/**
 * Makes the alerts that a scenario reads.
 * @param url base of the API
 * @throws Error when one is refused or all take too long, or the signal's reason
 */
export async function seedAlerts(url: string, count: number, signal: AbortSignal): Promise<void> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  try {
    await Promise.all(Array.from({ length: count }, (_, index) => post(url, index, agent, ended)));
  } finally {
    agent.destroy();
  }
}

function post(url: string, index: number, agent: Agent, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify(alertOf(seededMovieId(index)));
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/alert`, { method: 'POST', agent, headers, signal }, (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => {
        const { statusCode } = response;
        if (statusCode === 201 || statusCode === 200) resolve();
        else reject(new Error(`seeding was answered with ${statusCode}`));
      });
    });
    sent.once('error', (error) => reject(signal.aborted ? signal.reason : error));
    sent.end(body);
  });
}
