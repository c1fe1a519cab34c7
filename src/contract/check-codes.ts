import { type CodeMeaning, type FieldError, isOwnCode } from '../platform/errors.ts';
import type { App } from './app.ts';
import { mistakesAmong } from './declared.ts';

const CODE_NAME = /^[a-z][a-z0-9_]*$/;
const ERROR_MIN = 400;
const ERROR_MAX = 599;

/** @returns the mistakes in the error codes of an app. A code has one meaning, so it may be declared only once. */
export function mistakesInCodes({ features }: App): FieldError[] {
  return mistakesAmong(
    features.flatMap(({ name, codes = {} }, place) =>
      Object.entries(codes).map(([code, meaning]) => ({
        name: code,
        field: `features[${place}] (${name}) codes.${code}`,
        message: mistakeIn(code, meaning),
      })),
    ),
  );
}

function mistakeIn(code: string, { httpStatus }: CodeMeaning): string | undefined {
  if (!CODE_NAME.test(code)) return 'expected a name of lower-case letters, digits and _';
  if (isOwnCode(code)) return 'is a code of the chassis; expected another name';
  return httpStatus >= ERROR_MIN && httpStatus <= ERROR_MAX
    ? undefined
    : `has the status ${httpStatus}; expected one of ${ERROR_MIN} to ${ERROR_MAX}`;
}
