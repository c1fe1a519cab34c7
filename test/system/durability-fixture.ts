import { noteOf, request } from '../support/http.ts';

export const REPLICATED = { Durability: 'replicated' };
/** On a machine that does other things too, nothing shall be refused for that. */
export const PATIENT = { OVERLOAD_LAG_MS: '0', REPLICATED_TIMEOUT_MS: '60000' };

/** Writes in several rounds of ten at once, each acknowledged as replicated. @returns the ids and latencies */
export async function writeReplicated(url: string, rounds: number) {
  const ids: string[] = [];
  const latenciesMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const writes = Array.from({ length: 10 }, async (_, index) => {
      const id = `replicated-${round}-${index}`;
      const startMs = performance.now();
      const answer = await request(`${url}/note`, {
        method: 'POST',
        body: noteOf(id),
        headers: REPLICATED,
      });
      if (answer.status !== 201 || answer.headers.durability !== 'replicated') throw new Error(answer.text);
      ids.push(id);
      latenciesMs.push(performance.now() - startMs);
    });
    await Promise.all(writes);
  }
  return { ids, latenciesMs };
}
