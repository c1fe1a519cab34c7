import { rm } from 'node:fs/promises';
import type { Followed } from '../../messages/positions.ts';
import { mirrorDir } from '../../replication/restore/mirrored.ts';
import type { ProcessFactory } from '../process-factory.ts';
import { drainTimeoutMsOf, PROCESSES } from '../processes.ts';
import type { Deployment } from '../release/deployment.ts';
import type { Slot } from '../slot.ts';

/**
 * The process that mirrors the leader's replica, in its slot. It starts when a leader is known (`follow`). What
 * Litestream 0.5 writes is not mirrored: a takeover restores that from the store. States are the slot's.
 */
export class MirrorPlace {
  readonly slot: Slot;
  readonly #deployment: Deployment;
  readonly #onSynced: () => void;
  #followed: Followed | undefined;
  /** Whether it has followed a leader. */
  isStarted = false;
  #isEnding = false;

  /** @param onSynced called when the mirror has all that was known when its pass began */
  constructor(deployment: Deployment, factory: ProcessFactory, onSynced: () => void) {
    this.#deployment = deployment;
    this.#onSynced = onSynced;
    const name = PROCESSES.mirror.role;
    const input = { databases: deployment.databases };
    this.slot = factory.slot(PROCESSES.mirror, { name, deployment }, () =>
      factory.child(PROCESSES.mirror, { name, deployment, input }),
    );
    this.slot.on('child', (child) => {
      child.once('ready', () => this.#tell());
      child.on('message', (message) => {
        if (message.kind === 'report' && this.isSynced) this.#onSynced();
      });
    });
  }

  /** Whether the mirror has anything for a takeover. */
  get isSynced(): boolean {
    return this.slot.child?.gauges.synced_at_seconds !== undefined;
  }

  /** What the process reports: `lag_seconds`, `files`, `bytes`, `synced_at_seconds`. */
  get gauges(): Readonly<Record<string, number>> {
    return this.slot.child?.gauges ?? {};
  }

  get trouble(): string | undefined {
    return this.isStarted && !this.#isEnding ? this.slot.trouble : undefined;
  }

  get isWanted(): boolean {
    return this.#deployment.litestream.format === 'wal';
  }

  /** Follows what the record says now. */
  follow({ data, confirmed }: Followed): void {
    this.#followed = { data, confirmed };
    if (!this.isWanted || this.#isEnding) return;
    if (this.isStarted) this.#tell();
    else {
      this.isStarted = true;
      this.slot.start();
    }
  }

  /** Ends the process; the files of the mirror stay. */
  async stop(cause: string): Promise<void> {
    this.#isEnding = true;
    if (!this.isStarted || this.slot.state === 'stopped') return;
    await this.slot.stop(drainTimeoutMsOf(PROCESSES.mirror, this.slot.deployment.config), cause);
  }

  /** Removes the mirror from the disk: a leader does not need it. */
  async remove(): Promise<void> {
    await rm(mirrorDir(this.#deployment.config.DATA_DIR), { recursive: true, force: true });
  }

  #tell(): void {
    const { child } = this.slot;
    if (child?.isReachable && this.#followed) child.send({ kind: 'mirror', followed: this.#followed });
  }
}
