import type { Code, Failure } from '../../platform/errors.ts';

/** Faults that only other code mends. Any other failure is due to machine, settings, data or operator, and may pass. */
const FAULTS: ReadonlySet<Code> = new Set([
  'child_failed',
  'internal',
  'migration_mismatch',
  'release_unusable',
  'app_invalid',
  'runtime_unsupported',
]);

/** @returns whether the failure proves that a release cannot run: then no start takes it again by itself */
export function isFaultOfRelease({ code }: Failure): boolean {
  return FAULTS.has(code);
}
