import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { confirmationOf } from './confirmation.ts';
import type { Confirmer, ConfirmerOptions } from './confirmer.ts';
import type { LitestreamLine } from './log-line.ts';

/** Reads from the log of Litestream 0.3 what it has uploaded. It has no state. */
export class LogConfirmer implements Confirmer {
  readonly #options: ConfirmerOptions;

  constructor(options: ConfirmerOptions) {
    this.#options = options;
  }

  start(): void {}

  stop(): void {}

  onLine(line: LitestreamLine): void {
    const { onConfirmed, onFailed, onSnapshot, onSnapshotEnd } = this.#options;
    const { db } = line.fields;
    if (typeof db === 'string' && line.message === 'write snapshot') {
      onSnapshot(basename(db, '.db'), statSync(db, { throwIfNoEntry: false })?.size ?? 0);
    }
    if (typeof db === 'string' && line.message === 'snapshot written') onSnapshotEnd(basename(db, '.db'));
    if (line.level === 'error')
      onFailed(
        String(line.shown.fields.error ?? line.shown.message),
        typeof db === 'string' ? basename(db, '.db') : undefined,
      );
    const confirmation = confirmationOf(line);
    if (confirmation) onConfirmed(confirmation);
  }
}
