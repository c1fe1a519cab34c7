import type { Passed } from '../../support/store-proxy.ts';

/** What a record says that a system wrote. */
interface Written {
  readonly epoch: number;
  readonly session: string;
  readonly n: number;
}

const RECORD = /\/lease\.json$/;
const OBJECT_OF_EPOCH = /\/e(\d{6,})\//;

/**
 * Sees each write that the store has taken, on the way of each system, and so who led: an epoch is one system's, no record
 * is written over one that came later, and a folder of an epoch has objects of one system alone.
 */
export class Witness {
  readonly #epochs = new Map<number, Set<string>>();
  readonly #folders = new Map<number, Set<string>>();
  readonly #written = new Map<number, Set<string>>();

  /** @param who the system whose way it is */
  saw(who: string, { method, url, status, body }: Passed): void {
    if (method !== 'PUT' || status !== 200) return;
    const path = url.split('?', 1)[0] as string;
    const folder = OBJECT_OF_EPOCH.exec(path)?.[1];
    if (folder !== undefined) add(this.#folders, Number(folder), who);
    if (!RECORD.test(path)) return;
    const { epoch, session, n } = JSON.parse(body.toString()) as Written;
    add(this.#epochs, epoch, who);
    // A write that is sent again is the same one.
    add(this.#written, n, session);
  }

  /** How many epochs there were. */
  get epochs(): number {
    return this.#epochs.size;
  }

  /** How often another system led than before. */
  get changes(): number {
    const leaders = [...this.#epochs].sort(([a], [b]) => a - b).map(([, who]) => [...who].join());
    return leaders.filter((who, index) => index > 0 && who !== leaders[index - 1]).length;
  }

  /** What must not be, in words. */
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
