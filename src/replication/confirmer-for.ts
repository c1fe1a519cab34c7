import type { LitestreamBinary } from './binary.ts';
import type { Confirmer, ConfirmerOptions } from './confirmer.ts';
import { LogConfirmer } from './log-confirmer.ts';
import { LtxConfirmer } from './ltx-confirmer.ts';

/** @returns what understands this version: 0.3 says by itself what it has uploaded, later ones have to be asked */
export function confirmerFor(
  { format }: Pick<LitestreamBinary, 'format'>,
  options: ConfirmerOptions,
): Confirmer {
  return format === 'ltx' ? new LtxConfirmer(options) : new LogConfirmer(options);
}
