import type { Config } from '../config.ts';
import type { LitestreamBinary } from './binary.ts';
import { type Confirmation, confirmationOf } from './confirmation.ts';
import type { LitestreamLine } from './log-line.ts';
import { LtxConfirmer } from './ltx-confirmer.ts';

/** How one running Litestream tells how far the replica is. */
export interface Confirmer {
  /** It has taken up its databases. */
  start(): void;
  /** It has logged something. */
  onLine(line: LitestreamLine): void;
  /** It is gone. */
  stop(): void;
}

export interface ConfirmerOptions {
  readonly config: Config;
  /** Names without `.db`. */
  readonly databases: readonly string[];
  readonly onConfirmed: (confirmation: Confirmation) => void;
  /** It could not upload; why, in words. */
  readonly onFailed: (reason: string) => void;
}

/** @returns what understands this version: 0.3 says by itself what it has uploaded, later ones have to be asked */
export function confirmerFor(
  { format }: Pick<LitestreamBinary, 'format'>,
  options: ConfirmerOptions,
): Confirmer {
  return format === 'ltx' ? new LtxConfirmer(options) : new LogConfirmer(options);
}

/** Reads it in what Litestream 0.3 logs. */
class LogConfirmer implements Confirmer {
  readonly #options: ConfirmerOptions;

  constructor(options: ConfirmerOptions) {
    this.#options = options;
  }

  start(): void {}

  stop(): void {}

  onLine(line: LitestreamLine): void {
    const { onConfirmed, onFailed } = this.#options;
    if (line.level === 'error') onFailed(String(line.fields.error ?? line.message));
    const confirmation = confirmationOf(line);
    if (confirmation) onConfirmed(confirmation);
  }
}
