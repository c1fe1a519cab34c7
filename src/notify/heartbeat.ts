import type { SystemStatus } from '../messages/messages.ts';
import type { Sent } from './http.ts';

/** A ping that failed is repeated sooner than the next one is due. */
const RETRY_MS = 10_000;

export interface HeartbeatOptions {
  readonly intervalMs: number;
  /** The replica may be so far behind. */
  readonly lagMaxMs: number;
  readonly ping: () => Promise<Sent>;
  /** @returns monotonic milliseconds */
  readonly now: () => number;
}

/**
 * Pings somebody who notices when nothing comes any more, as long as all is well. States and who moves them: due (`look`, when
 * all is well) → pinging → waiting (for the interval, or less after a failure) → due.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #isPinging = false;
  #dueMs = Number.NEGATIVE_INFINITY;
  /** Why the last ping failed, in words; undefined when it did not. */
  trouble: string | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** @param status as it is now */
  async look(status: SystemStatus): Promise<void> {
    const { intervalMs, lagMaxMs, ping, now } = this.#options;
    if (this.#isPinging || now() < this.#dueMs || !isWell(status, lagMaxMs)) return;
    this.#isPinging = true;
    const startMs = now();
    const sent = await ping();
    this.#isPinging = false;
    this.trouble = sent.ok ? undefined : `HEARTBEAT_URL: ${sent.reason}`;
    this.#dueMs = startMs + (sent.ok ? intervalMs : Math.min(intervalMs, RETRY_MS));
  }
}

/** Ready, the replica near, and no drill that failed or is long due. Before the first one, and with none, those two alone. */
export function isWell({ ready, replication, drill }: SystemStatus, lagMaxMs: number): boolean {
  const isNear = replication !== undefined && replication.lagMs <= lagMaxMs;
  return ready && isNear && drill?.reason === undefined;
}
