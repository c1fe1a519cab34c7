/** What a child may send within one window: many times what a busy one says, and a tenth of what the primary can hear. */
const MESSAGES_MAX = 10_000;
const WINDOW_MS = 1000;

/** For people. */
export const FLOOD = `it sent more than ${MESSAGES_MAX} messages in ${WINDOW_MS} ms`;

/** How many messages a child may still send. */
export class MessageQuota {
  #left = 0;
  #windowEndMs = Number.NEGATIVE_INFINITY;

  /** It answers each connection that it is handed. */
  grantOne(): void {
    this.#left += 1;
  }

  /** @returns whether it may send the one that came now */
  take(nowMs: number): boolean {
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + WINDOW_MS;
      this.#left = MESSAGES_MAX;
    }
    this.#left -= 1;
    return this.#left >= 0;
  }
}
