/** Pseudo-random numbers; the same seed gives the same numbers. */
export class Random {
  #state: number;

  /**
   * @param seed any whole number
   * @param stream a name, by which each user of the same seed has its own numbers
   */
  constructor(seed: number, stream = '') {
    this.#state = seed | 0;
    for (const character of stream) {
      this.#state = (Math.imul(this.#state, 31) + (character.codePointAt(0) ?? 0)) | 0;
    }
  }

  /** @returns a number, uniform in [0, 1), by mulberry32 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** @returns a whole number from 0 to `end` - 1 */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** @param values at least one */
  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }

  /** @returns random bytes */
  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }
}
