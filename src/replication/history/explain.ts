import { dirname } from 'node:path';
import type { Candidate, Case, Facts, Verdict } from './cases.ts';
import { missingOf } from './cases.ts';
import { commonEnd, type History, type Position } from './history.ts';
import { markPath } from './mark.ts';

const SESSION_SHOWN_CHARS = 8;

/** The database that the text is about. */
export interface Subject {
  readonly database: string;
  readonly path: string;
  readonly replicaUrl: string;
  /** Why the replica could not be compared; undefined when it was. */
  readonly silence: string | undefined;
  /** URL of the replica that was used before; undefined where nothing is remembered. */
  readonly previousUrl: string | undefined;
  /** Another system has led meanwhile, and this one continues from its replica. What is normal then is not told. */
  readonly isTakeover: boolean;
}

/** @returns the findings as text for people; undefined where there is nothing to say */
export function explain(verdict: Verdict, facts: Facts, subject: Subject): string | undefined {
  const texts = verdict.cases.flatMap((found) => WORDS[found](facts, subject, verdict.candidate) ?? []);
  return texts.length === 0 ? undefined : texts.join(' ');
}

type Words = (facts: Facts, subject: Subject, candidate: Candidate | undefined) => string | undefined;

const CHOICE =
  'To take what the replica has: npm run restore -- --in-place (what is here is kept in replaced/). To go on with what is here: set REPLICA_URL to a place that holds nothing.';

const WORDS: Readonly<Record<Case, Words>> = {
  plain: () => undefined,
  behind: ({ database, mark }, subject) => {
    const missing = mark && missingOf(database, mark);
    if (!missing) return undefined;
    const { ordinal } = missing;
    const from = (database.last?.ordinal ?? 0) + 1;
    const which = from <= ordinal ? `commits ${from} to ${ordinal}` : `commit ${show(missing)}`;
    return `The database ${subject.database} lacks ${which}, which were told: it ends with ${end(database)}, and ${subject.replicaUrl} has nothing newer.`;
  },
  'replica-changed': ({ replica }, { database, replicaUrl, previousUrl, isTakeover }) =>
    isTakeover && !replica?.isEmpty
      ? undefined
      : `The replica of ${database} was ${previousUrl}, and is ${replicaUrl} now, which${replica?.isEmpty ? ' was empty and' : ''} gets everything.`,
  'replica-emptied': (_, { database, replicaUrl }) =>
    `The replica ${replicaUrl} has nothing of ${database} any more, and gets everything anew.`,
  'replica-shrunk': (_, { database, replicaUrl }) =>
    `The replica ${replicaUrl} lacks what was uploaded last of ${database}, and gets everything anew.`,
  'replica-apart': (_, { database, replicaUrl }) =>
    `The generation of ${database} in ${replicaUrl} has been gone on with elsewhere, or before this folder was put back to an earlier moment; the database has all of its commits, and begins a new one.`,
  'sidecar-gone': (_, { database }) =>
    `Litestream's files beside ${database} are gone: it begins a new generation with everything in it.`,
  unanswered: (_, { database, replicaUrl }, candidate) =>
    `The replica ${replicaUrl} has commit ${candidate ? end(candidate.history) : ''} of ${database}, which its writer was killed over: nobody was told of it, and the database has gone on without it. A new generation takes its place.`,
  unreadable: ({ replica }, { database }) =>
    `The replica of ${database} has ${list(replica?.unreadable ?? [])}, which cannot be restored, and which nobody knows.`,
  'replica-ahead': ({ database }, subject, candidate) =>
    subject.isTakeover
      ? undefined
      : `${ahead(database, subject, candidate)} What the replica has takes its place.`,
  'ahead-again': ({ database }, subject, candidate) =>
    `${ahead(database, subject, candidate)} The last start restored it, and it is behind again: something takes commits away from ${subject.path}. Nothing was changed. ${CHOICE}`,
  'replica-wins': ({ database }, subject, candidate) =>
    `${fork(database, subject, candidate)} Only the replica has all that was told, so it takes the database's place.`,
  fork: ({ database }, subject, candidate) =>
    subject.isTakeover
      ? fork(database, subject, candidate)
      : `${fork(database, subject, candidate)} Nothing was changed. ${CHOICE}`,
  'given-up': ({ database }, { database: name, path }) =>
    `The database ${name} ends with ${end(database)} and has commits that it was decided to be without: it is a copy of before that. Nothing was changed. To choose anew what comes in its place: npm run restore -- --list, and npm run restore -- --in-place --at TIME. To go on with these commits: remove ${markPath(dirname(path))}.`,
  silent: (_, { database, replicaUrl, silence }) =>
    `The database ${database} cannot be compared with ${replicaUrl} yet (${silence}): it serves, and nothing is uploaded before.`,
  'silent-unknown': ({ database, mark, isBehindSidecar }, subject) => {
    const missing = mark && missingOf(database, mark);
    const doubt = missing
      ? `lacks commit ${show(missing)}, which was told`
      : isBehindSidecar
        ? "lacks what Litestream's files beside it have"
        : 'comes from elsewhere, or nothing is remembered of it';
    return `The database ${subject.path} ${doubt}, and ${subject.replicaUrl} cannot be compared with it: ${subject.silence}. Nothing was changed.`;
  },
};

function ahead(database: History, subject: Subject, candidate: Candidate | undefined): string {
  const from = (database.last?.ordinal ?? 0) + 1;
  return `The database ${subject.database} ends with ${end(database)}, and its replica ${subject.replicaUrl} contains it and has commits ${from} to ${candidate?.history.last?.ordinal} beyond.`;
}

function fork(database: History, { database: name, replicaUrl }: Subject, candidate: Candidate | undefined) {
  const other = candidate?.history;
  const common = other && commonEnd(database, other);
  const from = (common?.ordinal ?? 0) + 1;
  return `The database ${name} and its replica ${replicaUrl} have gone on apart after ${common ? `commit ${common.ordinal}` : 'the beginning'}: commits ${from} to ${end(database)} are only here, ${from} to ${other ? end(other) : 'nothing'} only in generation ${candidate?.generation} there.`;
}

/** @returns the last commit of a history, for people */
export function end({ last, lastAtMs }: History): string {
  return last ? `${show(last)} of ${new Date(lastAtMs).toISOString()}` : 'nothing';
}

function show({ session, ordinal }: Position): string {
  return `${ordinal} (session ${session.slice(0, SESSION_SHOWN_CHARS)})`;
}

function list(generations: readonly string[]): string {
  return `${generations.length === 1 ? 'the generation' : 'the generations'} ${generations.join(', ')}`;
}
