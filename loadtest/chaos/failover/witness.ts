import type { Passed } from '../../support/store-proxy.ts';

/** What a system wrote into the lease's record. */
interface Written {
  readonly epoch: number;
  readonly session: string;
  readonly n: number;
}

const RECORD = /\/lease\.json$/;
const OBJECT_OF_EPOCH = /\/e(\d{6,})\//;

/**
 * Sees every write that the store accepted, by system, and so knows who led. It checks that an epoch belongs to one
 * system, that no record overwrites a later one, and that the folder of an epoch has objects of one system alone.
 */
export class Witness {
  readonly #epochs = new Map<number, Set<string>>();
  readonly #folders = new Map<number, Set<string>>();
  readonly #written = new Map<number, Set<string>>();

  /** @param who the system that sent the write */
  saw(who: string, { method, url, status, body }: Passed): void {
    if (method !== 'PUT' || status !== 200) return;
    const path = url.split('?', 1)[0] as string;
    const folder = OBJECT_OF_EPOCH.exec(path)?.[1];
    if (folder !== undefined) add(this.#folders, Number(folder), who);
    if (!RECORD.test(path)) return;
    const { epoch, session, n } = JSON.parse(body.toString()) as Written;
    add(this.#epochs, epoch, who);
    // A retried write is the same one.
    add(this.#written, n, session);
  }

  /** How many epochs there were. */
  get epochs(): number {
    return this.#epochs.size;
  }

  /** How often the leader changed. */
  get changes(): number {
    const leaders = [...this.#epochs].sort(([a], [b]) => a - b).map(([, who]) => [...who].join());
    return leaders.filter((who, index) => index > 0 && who !== leaders[index - 1]).length;
  }

  /** Violations of the checks, in words. */
  get contradictions(): readonly string[] {
    return [
      ...twice(this.#epochs, (epoch, who) => `epoch ${epoch} was led by ${who}`),
      ...twice(this.#folders, (epoch, who) => `the folder of epoch ${epoch} has objects of ${who}`),
      ...twice(this.#written, (n, who) => `record ${n} was written by the sessions ${who}`),
    ];
  }
}

function add(map: Map<number, Set<string>>, key: number, value: string): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}

function twice(map: ReadonlyMap<number, ReadonlySet<string>>, say: (key: number, who: string) => string) {
  return [...map].filter(([, who]) => who.size > 1).map(([key, who]) => say(key, [...who].join(' and ')));
}
