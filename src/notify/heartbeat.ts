import type { SystemStatus } from '../messages/messages.ts';
import type { Sent } from './http.ts';

/** A failed ping is repeated after this time, or after the interval if that is shorter. */
const RETRY_MS = 10_000;

export interface HeartbeatOptions {
  readonly intervalMs: number;
  /** The largest lag of the replica that counts as well. */
  readonly lagMaxMs: number;
  readonly ping: () => Promise<Sent>;
  /** @returns monotonic milliseconds */
  readonly now: () => number;
}

/**
 * Pings an external monitor (HEARTBEAT_URL) for as long as all is well; the monitor speaks up when the pings stop.
 * States and who moves them: due → pinging (`look`, when all is well) → waiting (the interval, or less after a
 * failure) → due.
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

  /** Pings if a ping is due and all is well. @param status the present status */
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

/** @returns whether the system is ready, the replica's lag is small, and no drill has failed or is long overdue */
export function isWell({ ready, replication, drill }: SystemStatus, lagMaxMs: number): boolean {
  const isNear = replication !== undefined && replication.lagMs <= lagMaxMs;
  return ready && isNear && drill?.reason === undefined;
}
