import type { Runtime } from '../../src/runtime/runtime.ts';

/** What it sends when it has its place: each of `values`, `count` times. */
export interface SendingInput {
  readonly values: readonly unknown[];
  readonly count?: number;
  /** Sent in the end, as a message `ready` with so much beside it. */
  readonly paddingChars?: number;
}

/** A child that says ready and then sends what it is told to, whether it is a message or not. */
export async function run(runtime: Runtime): Promise<void> {
  const { values, count = 1, paddingChars = 0 } = (await runtime.standby()) as SendingInput;
  runtime.ready();
  for (let index = 0; index < count; index += 1) {
    for (const value of values) process.send?.(value, undefined, undefined, () => {});
  }
  if (paddingChars > 0) process.send?.({ kind: 'ready', padding: 'x'.repeat(paddingChars) });
}
