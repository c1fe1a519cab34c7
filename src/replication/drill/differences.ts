import { createHash } from 'node:crypto';

/** More differences than this count as if all rows were wrong. */
const KEPT_MAX = 100_000;

export type Kind = 'missing' | 'different' | 'unknown' | 'behind';

const SAID: Readonly<Record<Kind, string>> = {
  missing: 'missing',
  different: 'different',
  unknown: 'there that nobody wrote',
  behind: 'of an earlier commit',
};

/** A value as SQLite returns it. */
export type Value = bigint | number | string | Buffer | null;

/**
 * The differences that one look finds in a restored copy. A row that changes all the time can seem wrong by chance, but
 * hardly twice with the same content. So only differences count that two looks have in common (`confirmedBy`).
 */
export class Differences {
  readonly #kept = new Map<string, string>();
  #isTooMany = false;

  /**
   * @param what the table
   * @param key of the row
   * @param restored the row in the restored copy; undefined where it has none
   */
  add(kind: Kind, what: string, key: readonly Value[], restored: readonly Value[] | undefined): void {
    if (this.#kept.size >= KEPT_MAX) this.#isTooMany = true;
    else this.#kept.set(fingerprint(kind, what, key, restored), `${what}\0${kind}`);
  }

  get count(): number {
    return this.#kept.size;
  }

  /** @returns the differences that the other has too */
  confirmedBy(other: Differences): Differences {
    const both = new Differences();
    both.#isTooMany = this.#isTooMany && other.#isTooMany;
    for (const [mark, group] of this.#kept) if (other.#kept.has(mark)) both.#kept.set(mark, group);
    return both;
  }

  /** @returns the counts by table and kind, without any content; undefined when there is no difference */
  describe(): string | undefined {
    if (this.#isTooMany) return `more than ${KEPT_MAX} rows are not as they were written`;
    if (this.#kept.size === 0) return undefined;
    const counts = new Map<string, number>();
    for (const group of this.#kept.values()) counts.set(group, (counts.get(group) ?? 0) + 1);
    const parts = [...counts].map(([group, count]) => {
      const [what = '', kind] = group.split('\0');
      return `${count} of ${what} ${SAID[kind as Kind]}`;
    });
    return `not as it was written: ${parts.join(', ')}`;
  }
}

/** Identifies a difference in few bytes, however large the row is. */
function fingerprint(
  kind: Kind,
  what: string,
  key: readonly Value[],
  restored: readonly Value[] | undefined,
): string {
  const hash = createHash('sha256').update(`${kind}\0${what}\0${restored ? 1 : 0}`);
  for (const value of [...key, ...(restored ?? [])]) {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value));
    hash.update(`${value === null ? 'null' : typeof value} ${bytes.length} `).update(bytes);
  }
  return hash.digest('base64');
}

/** @returns whether two rows have the same values */
export function isSame(a: readonly Value[] | undefined, b: readonly Value[] | undefined): boolean {
  if (!a || !b) return a === b;
  return a.length === b.length && a.every((value, index) => isSameValue(value, b[index] as Value));
}

function isSameValue(a: Value, b: Value): boolean {
  return Buffer.isBuffer(a) && Buffer.isBuffer(b) ? a.equals(b) : Object.is(a, b);
}
