import type { Test } from 'tap';

/**
 * Asserts what a value is like: an object may have more members than those that are expected, and all else is exact. Arrays
 * have as many elements, strings are whole, a RegExp tests a string, and a constructor such as Number names a type.
 */
export function like(t: Test, found: unknown, expected: unknown, message = 'should be like that'): boolean {
  return t.strictSame(projected(found, expected), expected, message);
}

/** @returns what is expected wherever that is met, and else what was found there */
function projected(found: unknown, expected: unknown): unknown {
  if (expected instanceof RegExp) return typeof found === 'string' && expected.test(found) ? expected : found;
  if (typeof expected === 'function') return isOfType(found, expected) ? expected : found;
  if (Array.isArray(expected)) {
    if (!Array.isArray(found)) return found;
    return found.map((each, place) => (place in expected ? projected(each, expected[place]) : each));
  }
  if (typeof expected !== 'object' || expected === null || typeof found !== 'object' || found === null)
    return found;
  // A member that shall not be there, and one that is undefined, are the same to whoever reads it.
  return Object.fromEntries(
    Object.entries(expected).map(([name, value]) => [
      name,
      projected((found as Record<string, unknown>)[name], value),
    ]),
  );
}

function isOfType(found: unknown, type: object): boolean {
  const primitives: ReadonlyMap<object, string> = new Map<object, string>([
    [Number, 'number'],
    [String, 'string'],
    [Boolean, 'boolean'],
  ]);
  const primitive = primitives.get(type);
  return primitive === undefined ? found instanceof (type as () => unknown) : typeof found === primitive;
}
