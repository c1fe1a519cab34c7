/**
 * What Litestream has confirmed counts as replicated when a look at the record, sent after that, has found this system
 * leading: whoever takes over later lists the replica later still, and finds it. An item is waiting (`add`), then passed
 * on (`pass`) or dropped (`drop`).
 */
export class AcknowledgeGate<Item> {
  #waiting: Item[] = [];

  /** Whether a look would let something pass. */
  get isWanted(): boolean {
    return this.#waiting.length > 0;
  }

  /** It is in the replica. */
  add(item: Item): void {
    this.#waiting.push(item);
  }

  /** @returns how many a look that is sent now covers */
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

  /** They never count: this system leads no more. */
  drop(): void {
    this.#waiting = [];
  }
}
