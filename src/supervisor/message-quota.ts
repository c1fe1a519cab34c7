/** What a child may send in a window: many times what a busy child does, and a tenth of what the primary can handle. */
const MESSAGES_MAX = 10_000;
const WINDOW_MS = 1000;

/** For people. */
export const FLOOD = `it sent more than ${MESSAGES_MAX} messages in ${WINDOW_MS} ms`;

/** How many messages a child may still send. */
export class MessageQuota {
  #left = 0;
  #windowEndMs = Number.NEGATIVE_INFINITY;

  /** One more message: the child answers each connection that it is handed. */
  grantOne(): void {
    this.#left += 1;
  }

  /** @returns whether the message that came now is within the quota */
  take(nowMs: number): boolean {
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + WINDOW_MS;
      this.#left = MESSAGES_MAX;
    }
    this.#left -= 1;
    return this.#left >= 0;
  }
}
