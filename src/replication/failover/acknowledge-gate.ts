/**
 * Holds back Litestream's confirmations. They count as replicated when a look at the record that was sent after them
 * found this system leading: a system that takes over later lists the replica later still, and finds the uploads.
 *
 * States of an item: waiting (`add`) → passed on (`pass`) or dropped (`drop`).
 */
export class AcknowledgeGate<Item> {
  #waiting: Item[] = [];

  /** Whether any item waits for a look. */
  get isWanted(): boolean {
    return this.#waiting.length > 0;
  }

  /** The item is in the replica. */
  add(item: Item): void {
    this.#waiting.push(item);
  }

  /** @returns how many items a look that is sent now covers */
  mark(): number {
    return this.#waiting.length;
  }

  /**
   * The look has found this system leading.
   * @param count what `mark` returned when it was sent
   * @returns those that count from now on, oldest first
   */
  pass(count: number): readonly Item[] {
    return this.#waiting.splice(0, count);
  }

  /** This system leads no more: what still waits never counts. */
  drop(): void {
    this.#waiting = [];
  }
}
