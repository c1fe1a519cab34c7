import { z } from 'zod';

/** @returns a schema that turns the digits of a whole number in a range into a number */
export function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  const expected = `expected a whole number from ${min} to ${max}`;
  return z
    .string(expected)
    .refine((text) => /^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max, expected)
    .transform(Number);
}
