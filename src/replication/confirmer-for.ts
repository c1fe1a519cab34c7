import type { LitestreamBinary } from './binary.ts';
import type { Confirmer, ConfirmerOptions } from './confirmer.ts';
import { LogConfirmer } from './log-confirmer.ts';
import { LtxConfirmer } from './ltx-confirmer.ts';

/** @returns the confirmer for a version of Litestream: 0.3 logs what it has uploaded, 0.5 has to be asked */
export function confirmerFor(
  { format }: Pick<LitestreamBinary, 'format'>,
  options: ConfirmerOptions,
): Confirmer {
  return format === 'ltx' ? new LtxConfirmer(options) : new LogConfirmer(options);
}
