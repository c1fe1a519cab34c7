import type { ProcessSample } from './measurement.ts';
import { nameOf, readFamily } from './support/cpu-time.ts';

/** The name of the load generator among the processes. */
export const LOAD_GENERATOR = 'load generator';

/**
 * Samples the processor time and memory of processes and their descendants. Two processes of the same name, the old and
 * the new one of an exchange, count as one, with their sum. States: idle → sampling (`start`) → done (`stop`).
 */
export class ProcessSampler {
  readonly samples: ProcessSample[] = [];
  readonly #serverPid: number | undefined;
  readonly #generatorPid: number | undefined;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #startMs = 0;
  #lastMs = 0;
  #cpuMs = new Map<number, number>();

  /**
   * @param serverPid the server's first process; undefined where it is not on this machine
   * @param generatorPid the load generator
   */
  constructor(serverPid: number | undefined, generatorPid: number | undefined, intervalMs: number) {
    this.#serverPid = serverPid;
    this.#generatorPid = generatorPid;
    this.#intervalMs = intervalMs;
  }

  start(): void {
    this.#startMs = performance.now();
    this.#look();
    this.#timer = setInterval(() => this.#look(), this.#intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = performance.now();
    const passedMs = nowMs - this.#lastMs;
    const isFirst = this.#lastMs === 0;
    const cpuMs = new Map<number, number>();
    const byName = new Map<string, ProcessSample>();
    for (const root of [this.#serverPid, this.#generatorPid]) {
      if (root === undefined) continue;
      for (const reading of readFamily(root)) {
        cpuMs.set(reading.pid, reading.cpuMs);
        const name = root === this.#generatorPid ? LOAD_GENERATOR : nameOf(reading.pid);
        if (name === undefined) continue;
        const usedMs = reading.cpuMs - (this.#cpuMs.get(reading.pid) ?? reading.cpuMs);
        const known = byName.get(name);
        byName.set(name, {
          atMs: Math.round(nowMs - this.#startMs),
          name,
          rssBytes: reading.rssBytes + (known?.rssBytes ?? 0),
          cpuPercent: (isFirst ? 0 : (100 * usedMs) / passedMs) + (known?.cpuPercent ?? 0),
        });
      }
    }
    this.#cpuMs = cpuMs;
    this.#lastMs = nowMs;
    // The first sample has no earlier processor times to compare with.
    if (!isFirst) this.samples.push(...byName.values());
  }
}

/** How busy a process was on average, and its memory at the end. */
export interface ProcessSummary {
  readonly name: string;
  readonly cpuPercent: number;
  readonly rssBytes: number;
}

/** @returns one entry a process, the busiest first */
export function summarize(samples: readonly ProcessSample[]): ProcessSummary[] {
  const names = [...new Set(samples.map(({ name }) => name))];
  return names
    .map((name) => {
      const own = samples.filter((sample) => sample.name === name);
      const cpuPercent = own.reduce((sum, sample) => sum + sample.cpuPercent, 0) / own.length;
      return { name, cpuPercent, rssBytes: own.at(-1)!.rssBytes };
    })
    .sort((a, b) => b.cpuPercent - a.cpuPercent);
}
