import type { FieldError } from '../platform/errors.ts';

/** A declaration of a feature whose name must be unique among all features. */
export interface Declared {
  readonly name: string;
  /** Where it is declared, for people. */
  readonly field: string;
  /** What is wrong with this declaration by itself; undefined when nothing is. */
  readonly message: string | undefined;
}

/** @returns the mistake of each declaration, and each repeated name with the place of the first declaration */
export function mistakesAmong(all: readonly Declared[]): FieldError[] {
  return all.flatMap(({ name, field, message }, place) => {
    if (message !== undefined) return [{ field, message }];
    const first = all.slice(0, place).find((other) => other.name === name);
    return first === undefined
      ? []
      : [{ field, message: `is one of ${first.field}, too; expected another name` }];
  });
}
