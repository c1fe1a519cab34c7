import type { Code, Failure } from '../../platform/errors.ts';

/** What only other code mends. All else is the machine's, the settings', the data's or the operator's, and may pass. */
const FAULTS: ReadonlySet<Code> = new Set([
  'child_failed',
  'internal',
  'migration_mismatch',
  'release_unusable',
  'app_invalid',
  'runtime_unsupported',
]);

/** @returns whether it proves that a release cannot run: then no start takes it again by itself */
export function isFaultOfRelease({ code }: Failure): boolean {
  return FAULTS.has(code);
}
