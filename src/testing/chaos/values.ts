import { parseArgs } from 'node:util';

/** One option of a command line, such as `--seconds N`. */
export interface Option {
  /** The placeholder of the value in the help text; a flag has none. */
  readonly value?: string;
  readonly default?: string;
  readonly multiple?: boolean;
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, Option>>;

/** A wrong command line; the message says what is wrong. */
export class UsageError extends Error {}

/** The given values of a command's options, checked when they are read. */
export class Values {
  readonly #given: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

  /**
   * @param args the arguments after the command
   * @param table the options that the command knows
   * @throws UsageError for an unknown option or argument
   */
  constructor(args: readonly string[], table: OptionTable) {
    try {
      this.#given = parseArgs({
        args: [...args],
        options: Object.fromEntries(
          Object.entries(table).map(([name, option]) => [
            name,
            {
              type: option.value === undefined ? ('boolean' as const) : ('string' as const),
              multiple: option.multiple ?? false,
              ...(name === 'help' ? { short: 'h' } : {}),
              ...(option.default === undefined
                ? {}
                : { default: option.multiple ? [option.default] : option.default }),
            },
          ]),
        ),
      }).values;
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }

  text(name: string): string | undefined {
    const given = this.#given[name];
    return typeof given === 'string' ? given : undefined;
  }

  flag(name: string): boolean {
    return this.#given[name] === true;
  }

  /** @returns all values of an option that may be given several times, or with values joined by commas */
  list(name: string): string[] | undefined {
    const given = this.#given[name];
    if (!Array.isArray(given)) return undefined;
    return given.flatMap((text) => String(text).split(',')).filter((text) => text !== '');
  }

  /** @throws UsageError unless it is a whole number in the range */
  whole(name: string, min: number, max: number): number {
    const number = this.optionalWhole(name, min, max);
    if (number === undefined)
      throw new UsageError(`--${name}: expected a whole number from ${min} to ${max}`);
    return number;
  }

  /** @throws UsageError when it is given and no whole number in the range */
  optionalWhole(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (/^\d{1,10}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
    throw new UsageError(`--${name}: expected a whole number from ${min} to ${max}`);
  }

  /**
   * @param what the kind of thing that is named, for the message
   * @returns those of `known` that were asked for, or all, in the order of `known`
   * @throws UsageError for an unknown name
   */
  namesOf(name: string, known: readonly string[], what: string): string[] {
    const wanted = this.list(name);
    const unknown = (wanted ?? []).filter((candidate) => !known.includes(candidate));
    if (unknown.length > 0) {
      throw new UsageError(`There is no ${what} ${unknown.join(', ')}. There are ${known.join(', ')}.`);
    }
    return known.filter((candidate) => wanted?.includes(candidate) ?? true);
  }
}

/** @returns the lines of the help that explain the options */
export function describeOptions(table: OptionTable): string {
  const rows = Object.entries(table).map(([name, { value, default: fallback, help }]) => ({
    left: `--${name}${value === undefined ? '' : ` ${value}`}`,
    right: fallback === undefined ? help : `${help} (default ${fallback})`,
  }));
  const width = Math.max(...rows.map(({ left }) => left.length));
  return rows.map(({ left, right }) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
