import { join } from 'node:path';
import type { FieldError } from '../platform/errors.ts';
import { readDotEnv } from './environment-file.js';

/** A name with at most this many wrong letters is a typo of a known one; in a short name, one per four letters. */
const SLIP_MAX_LETTERS = 2;
const LETTERS_A_SLIP = 4;

/** Names in `.env` that are no settings. The environment is not checked: it holds variables of other programs. */
export interface UnknownSettings {
  /** Names so close to a setting that they must be typos. */
  readonly slips: readonly FieldError[];
  /** Names close to no setting: perhaps of a newer release, from which one must be able to go back. */
  readonly others: readonly string[];
}

/**
 * @param installation the folder of `.env`
 * @param known the name of every setting
 */
export function unknownSettings(installation: string, known: readonly string[]): UnknownSettings {
  const unknown = namesIn(join(installation, '.env')).filter((name) => !known.includes(name));
  const slips: FieldError[] = [];
  const others: string[] = [];
  for (const name of unknown) {
    const meant = nearest(name, known);
    if (meant === undefined) others.push(name);
    else slips.push({ field: name, message: `is no setting; expected ${meant}?` });
  }
  return { slips, others };
}

/** @returns the known name of which this one is a typo; undefined when there is none */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const upper = name.toUpperCase();
  const [best] = known
    .map((candidate) => ({ candidate, letters: lettersBetween(upper, candidate) }))
    .filter(
      ({ candidate, letters }) => letters <= Math.min(SLIP_MAX_LETTERS, candidate.length / LETTERS_A_SLIP),
    )
    .sort((one, other) => one.letters - other.letters);
  return best?.candidate;
}

/** A file that cannot be read is reported where its values are read. */
function namesIn(path: string): readonly string[] {
  try {
    return Object.keys(readDotEnv(path));
  } catch {
    return [];
  }
}

/** @returns how many letters are added, left out, changed, or swapped with a neighbour (optimal string alignment) */
function lettersBetween(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > SLIP_MAX_LETTERS) return Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const changed = last[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row[j] = Math.min(changed, last[j]! + 1, row[j - 1]! + 1, isSwap ? beforeLast[j - 2]! + 1 : changed);
    }
    beforeLast = last;
    last = row;
  }
  return last[other.length]!;
}
