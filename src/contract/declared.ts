import type { FieldError } from '../platform/errors.ts';

/** What a feature declares by a name that it shares with those of all other features. */
export interface Declared {
  readonly name: string;
  /** Where it stands, for people. */
  readonly field: string;
  /** What is wrong with it, whatever the others declare. */
  readonly message: string | undefined;
}

/** @returns what is wrong with each, and each that stands in a second place, with the first one */
export function mistakesAmong(all: readonly Declared[]): FieldError[] {
  return all.flatMap(({ name, field, message }, place) => {
    if (message !== undefined) return [{ field, message }];
    const first = all.slice(0, place).find((other) => other.name === name);
    return first === undefined
      ? []
      : [{ field, message: `is one of ${first.field}, too; expected another name` }];
  });
}
