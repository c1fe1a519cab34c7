import { request } from '../../support/http.ts';
import type { RunningSystem } from '../../support/system.ts';

/** @returns every line of an exposition with its value, by name and labels */
export function parse(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

export async function scrape(system: RunningSystem): Promise<Map<string, number>> {
  const answer = await request(`${system.url}/metrics`);
  if (answer.status !== 200) throw new Error(answer.text);
  return parse(answer.text);
}

/** Scrapes until the processes have told what is looked for. */
export async function scrapeUntil(system: RunningSystem, isThere: (found: Map<string, number>) => boolean) {
  for (;;) {
    const found = await scrape(system);
    if (isThere(found)) return found;
  }
}
