import { Agent, request } from 'node:http';
import { alertOf, seededMovieId } from './alert.ts';

const CONNECTIONS = 20;

/**
 * Makes the alerts that a scenario reads.
 * @param url base of the API
 * @throws Error when one is refused
 */
export async function seedAlerts(url: string, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  try {
    await Promise.all(Array.from({ length: count }, (_, index) => post(url, index, agent)));
  } finally {
    agent.destroy();
  }
}

function post(url: string, index: number, agent: Agent): Promise<void> {
  const body = JSON.stringify(alertOf(seededMovieId(index)));
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/alert`, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => {
        const { statusCode } = response;
        if (statusCode === 201 || statusCode === 200) resolve();
        else reject(new Error(`seeding was answered with ${statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
