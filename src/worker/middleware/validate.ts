import type { z } from 'zod';
import { Failure, type FieldError } from '../../platform/errors.ts';

/**
 * @returns `value` as the schema returns it
 * @throws Failure invalid_request with one entry for every wrong field
 */
export function validate<Output>(schema: z.ZodType<Output>, value: unknown): Output {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalidRequest(fieldErrors(parsed.error));
}

/** @returns the failure invalid_request, which names the wrong fields */
export function invalidRequest(errors: readonly FieldError[]): Failure {
  const fields = errors.map((error) => error.field).join(', ');
  return new Failure('invalid_request', `Wrong: ${fields}`, { errors });
}

/** Keeps only the first error of each field: the others mostly follow from it. */
function fieldErrors(error: z.ZodError): FieldError[] {
  const byField = new Map<string, FieldError>();
  for (const issue of error.issues) {
    const field = issue.path.length === 0 ? 'body' : issue.path.join('.');
    if (!byField.has(field)) byField.set(field, { field, message: issue.message });
  }
  return [...byField.values()];
}
