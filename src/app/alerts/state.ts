import type { AlertState, Status } from './schema.ts';

/** The columns of an alert that a client gets to see, and those that tell its version. */
export const FIELDS = `movie_id AS movieId, email, notification_date, title, category, image_url AS imageUrl,
  status, attempts, next_attempt_at_ms AS nextAttemptAtMs, last_error AS lastError, sent_at_ms AS sentAtMs,
  created_at_ms AS createdAtMs, revision`;

/** What tells one version of an alert from every other, also from one of the same movie that was removed. */
export interface Version {
  readonly createdAtMs: number;
  readonly revision: number;
}

export interface AlertRow extends Version {
  readonly movieId: string;
  readonly email: string;
  readonly notification_date: string;
  readonly title: string;
  readonly category: string;
  readonly imageUrl: string;
  readonly status: Status;
  readonly attempts: number;
  readonly nextAttemptAtMs: number | null;
  readonly lastError: string | null;
  readonly sentAtMs: number | null;
}

/** @returns the alert as clients read it */
export function stateOf(row: AlertRow): AlertState {
  return {
    movieId: row.movieId,
    email: row.email,
    notification_date: row.notification_date,
    title: row.title,
    category: row.category,
    imageUrl: row.imageUrl,
    status: row.status,
    attempts: row.attempts,
    next_attempt_at: timeOf(row.nextAttemptAtMs),
    last_error: row.lastError,
    sent_at: timeOf(row.sentAtMs),
  };
}

/** @returns the strong entity tag of a version, quotes included (RFC 9110 8.8.3) */
export function entityTagOf({ createdAtMs, revision }: Version): string {
  return `"${createdAtMs.toString(36)}-${revision}"`;
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
