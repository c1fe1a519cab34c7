import type { AnyCommand } from '../contract/command.ts';

/** The input of a command as its schema returns it, or the path of a field that does not fit. */
export type ParsedInput = { readonly value: unknown } | { readonly misfit: string };

/**
 * Validates the input of a command. A process of another release may have sent it. A field that the schema does not
 * know is refused at any depth, even where the schema ignores unknown fields: otherwise a part of the write would be
 * acknowledged and never applied.
 *
 * @param input the JSON value from the socket
 * @returns the value for the command; or the path of the first field that is missing, unknown or wrong
 */
export function parseInput(command: AnyCommand, input: unknown): ParsedInput {
  const parsed = command.input.safeParse(input);
  if (!parsed.success) return { misfit: parsed.error.issues[0]?.path.join('.') ?? '' };
  const misfit = leftOut(input, parsed.data, []);
  return misfit === undefined ? { value: parsed.data } : { misfit };
}

/** @returns the path of the first field that is in the input and not in the parsed value; undefined if there is none */
function leftOut(input: unknown, parsed: unknown, path: readonly string[]): string | undefined {
  if (!isObject(input) || !isObject(parsed)) return undefined;
  for (const [name, value] of Object.entries(input)) {
    const at = [...path, name];
    if (!Object.hasOwn(parsed, name)) return at.join('.');
    const within = leftOut(value, parsed[name], at);
    if (within !== undefined) return within;
  }
  return undefined;
}

/** True for arrays too: their indexes are their fields. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
