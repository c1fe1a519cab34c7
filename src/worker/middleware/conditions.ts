import type { ParameterizedContext } from 'koa';
import { z } from 'zod';
import { invalidRequest } from './validate.ts';

/** Entity tags (RFC 9110 8.8.3) with their quotes. A tag may contain a comma. */
const ENTITY_TAGS = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;
/** What may stand between two tags. */
const BETWEEN_TAGS = /^[\s,]*$/;
const TAGS_MAX = 50;
const TAG_MAX_CHARS = 200;

/** `*`: any version; otherwise the versions with these entity tags, as they were sent. */
const entityTags = z.union([z.literal('*'), z.array(z.string().max(TAG_MAX_CHARS)).max(TAGS_MAX)]);

/** The preconditions of a write, If-Match and If-None-Match; to be used in the input of a command. */
export const conditions = z.object({ ifMatch: entityTags.optional(), ifNoneMatch: entityTags.optional() });
export type Conditions = z.infer<typeof conditions>;

/**
 * Reads If-Match and If-None-Match of a write (RFC 9110 13.1).
 * @returns undefined when the request has neither
 * @throws Failure invalid_request for a header that is no list of entity tags
 */
export function conditionsOf({ req }: ParameterizedContext): Conditions | undefined {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = req.headers;
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  return {
    ...(ifMatch !== undefined && { ifMatch: parse('If-Match', ifMatch) }),
    ...(ifNoneMatch !== undefined && { ifNoneMatch: parse('If-None-Match', ifNoneMatch) }),
  };
}

/**
 * @param current the strong tag of the present version; undefined when there is none
 * @returns whether the write may take place
 */
export function areMet({ ifMatch, ifNoneMatch }: Conditions, current: string | undefined): boolean {
  // If-Match compares strongly (RFC 9110 13.1.1): a weak tag, kept with its W/, equals none of ours. If-None-Match
  // compares weakly (13.1.2).
  const holds = (tags: Conditions['ifMatch'], opaque: (tag: string) => string) =>
    current !== undefined && (tags === '*' || tags?.some((tag) => opaque(tag) === current) === true);
  if (ifMatch !== undefined && !holds(ifMatch, (tag) => tag)) return false;
  return ifNoneMatch === undefined || !holds(ifNoneMatch, (tag) => tag.replace(/^W\//, ''));
}

function parse(field: string, text: string): '*' | string[] {
  if (text.trim() === '*') return '*';
  const tags = text.match(ENTITY_TAGS) ?? [];
  const isList = BETWEEN_TAGS.test(text.replace(ENTITY_TAGS, ''));
  if (
    !isList ||
    tags.length === 0 ||
    tags.length > TAGS_MAX ||
    tags.some(({ length }) => length > TAG_MAX_CHARS)
  ) {
    throw invalidRequest([{ field, message: 'expected * or entity tags such as "mf3k2a-1"' }]);
  }
  return tags;
}
