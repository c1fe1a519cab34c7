import type { SpawnSyncReturns } from 'node:child_process';
import type { Test } from 'tap';

export const BIN = new URL('../../src/bin.js', import.meta.url).pathname;

export function oneSentence(t: Test, { stderr }: SpawnSyncReturns<string>, name: string): void {
  t.match(stderr, /^ninelives: [^\n]+\n$/, name);
  t.notMatch(stderr, /node:|^\s+at /m, name);
}
