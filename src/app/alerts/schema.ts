import { z } from 'zod';
import { parseAddress } from '../../platform/mail-address.ts';

const MOVIE_ID_MAX_CHARS = 128;
const OWNER_MAX_CHARS = 128;
const EMAIL_MAX_CHARS = 254; // RFC 5321 4.5.3.1.3: a path of 256 octets less its angle brackets
const IMAGE_URL_MAX_CHARS = 2048;
export const LIST_LIMIT_MAX = 100;
export const LIST_LIMIT_DEFAULT = 20;

const CONTROL = /\p{Cc}/u;
/**
 * A string that survives SQLite, UTF-8 and JSON unchanged: no NUL, no lone surrogate. Its length is counted in
 * code points, as JSON Schema counts it, not in UTF-16 units as `z.string().max()` does.
 */
function text(maxChars: number) {
  const expected = `expected a string of 1 to ${maxChars} characters`;
  return z
    .string(expected)
    .refine((value) => isOfLength(value, maxChars), expected)
    .refine(
      (value) => value.isWellFormed() && !value.includes('\0'),
      'expected text without NUL or lone surrogates',
    )
    .meta({ minLength: 1, maxLength: maxChars });
}

function isOfLength(value: string, maxChars: number): boolean {
  if (value.length <= maxChars) return value.length > 0;
  return value.length <= 2 * maxChars && [...value].length <= maxChars;
}

function isHttpUrl(value: string): boolean {
  // URL.canParse alone forgives spaces, tabs and missing slashes, which other readers of the URL would not.
  return /^https?:\/\/[^\s\p{Cc}]+$/iu.test(value) && URL.canParse(value);
}

/** The key of an alert, chosen by the client. */
export const movieId = text(MOVIE_ID_MAX_CHARS).refine(
  (value) => !CONTROL.test(value),
  'expected no control characters',
);

/** Whoever resolves a URL takes these out of its path, encoded or not (RFC 3986 5.2.4, WHATWG URL): no request would arrive. */
const DOT_SEGMENTS = ['.', '..'];
/** That of a new alert. Some of before there was this rule may have another, and can still be removed. */
const newMovieId = movieId
  .refine((value) => !DOT_SEGMENTS.includes(value), 'expected another name than one or two dots')
  .meta({ minLength: 1, maxLength: MOVIE_ID_MAX_CHARS, not: { enum: DOT_SEGMENTS } });

/** Whose an alert is: an owner's name, empty for whoever calls while there are no keys. */
export const owner = z.string().max(OWNER_MAX_CHARS);

/** An alert as clients send it and get it back. Fields that it does not know are ignored, for compatibility. */
export const alert = z.object({
  movieId: newMovieId,
  email: text(EMAIL_MAX_CHARS)
    .refine((value) => parseAddress(value), 'expected an e-mail address')
    .meta({ format: 'email' }),
  notification_date: z.iso.date('expected a date of the calendar as YYYY-MM-DD'),
  title: text(500),
  category: text(100),
  imageUrl: text(IMAGE_URL_MAX_CHARS)
    .refine(isHttpUrl, 'expected an absolute http:// or https:// URL')
    .meta({ format: 'iri' }),
});
export type Alert = z.infer<typeof alert>;

/** A part of an alert, to change it (RFC 7396). What cannot be changed is refused, lest a slip be taken for a success. */
export const alertPatch = z
  .strictObject(alert.omit({ movieId: true }).shape)
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, 'expected at least one field to change');

export const STATUSES = ['scheduled', 'sending', 'sent', 'failed', 'cancelled'] as const;
export type Status = (typeof STATUSES)[number];

const time = z.iso.datetime().nullable();

/** An alert as it is read: with what became of it. */
export const alertState = alert.extend({
  movieId,
  status: z.enum(STATUSES),
  attempts: z.int().min(0).meta({ description: 'How often the mail server has answered for it.' }),
  next_attempt_at: time.meta({
    description: 'When it is tried again; null unless an attempt did not succeed.',
  }),
  last_error: z.string().nullable().meta({ description: 'Why the last attempt did not succeed.' }),
  sent_at: time.meta({ description: 'When the mail server took it.' }),
});
export type AlertState = z.infer<typeof alertState>;

const limitExpected = `expected a whole number from 1 to ${LIST_LIMIT_MAX}`;

/** The query string of the list. */
export const listQuery = z.object({
  limit: z
    .string(limitExpected)
    .regex(/^[1-9]\d{0,2}$/, limitExpected)
    .transform(Number)
    .refine((limit) => limit <= LIST_LIMIT_MAX, limitExpected)
    .default(LIST_LIMIT_DEFAULT),
  cursor: z.string('expected one cursor').optional(),
  status: z.enum(STATUSES, `expected one of ${STATUSES.join(', ')}`).optional(),
  from: z.iso.date('expected a date of the calendar as YYYY-MM-DD').optional(),
  to: z.iso.date('expected a date of the calendar as YYYY-MM-DD').optional(),
});
